// What Go programs do with etcd's own client and its concurrency package, driven by a test: one
// command per line of the input, answered by one line, or by as many as it takes.
//
//	lock NAME | trylock NAME | unlock     Mutex         → locked KEY REVISION | held | unlocked
//	campaign NAME VALUE | proclaim VALUE | resign       → leads KEY REVISION | ok | ok
//	observe NAME                                        → sees KEY VALUE, for ever
//	contend NAME KEY TIMES     under the lock, reads KEY and writes one more       → done
//	increment KEY TIMES        the same, in transactions of the STM                → done
//	poll NAME MILLISECONDS     TryLock so often until it is ours → polled …, locked KEY REVISION
//	await NAME                 TryLock once, then again after the prefix has a deletion
//	                                                             → waiting …, locked KEY REVISION
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

var ctx = context.Background()

func main() {
	endpoint := flag.String("endpoint", "", "")
	ttl := flag.Int("ttl", 60, "seconds")
	flag.Parse()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{*endpoint}, DialTimeout: 5 * time.Second})
	check(err)
	session, err := concurrency.NewSession(client, concurrency.WithTTL(*ttl))
	check(err)
	fmt.Printf("session %x\n", session.Lease())
	p := program{client: client, session: session}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		p.run(words[0], words[1:])
	}
	check(session.Close())
}

type program struct {
	client   *clientv3.Client
	session  *concurrency.Session
	mutex    *concurrency.Mutex
	election *concurrency.Election
}

func (p *program) run(command string, args []string) {
	switch command {
	case "lock":
		p.mutex = concurrency.NewMutex(p.session, args[0])
		check(p.mutex.Lock(ctx))
		p.sayLocked()
	case "trylock":
		if p.try(args[0]) {
			p.sayLocked()
		} else {
			fmt.Println("held")
		}
	case "unlock":
		check(p.mutex.Unlock(ctx))
		fmt.Println("unlocked")
	case "campaign":
		p.election = concurrency.NewElection(p.session, args[0])
		check(p.election.Campaign(ctx, args[1]))
		fmt.Println("leads", p.election.Key(), p.election.Rev())
	case "proclaim":
		check(p.election.Proclaim(ctx, args[0]))
		fmt.Println("ok")
	case "resign":
		check(p.election.Resign(ctx))
		fmt.Println("ok")
	case "observe":
		for seen := range concurrency.NewElection(p.session, args[0]).Observe(ctx) {
			fmt.Println("sees", string(seen.Kvs[0].Key), string(seen.Kvs[0].Value))
		}
	case "contend":
		mutex := concurrency.NewMutex(p.session, args[0])
		for range number(args[2]) {
			check(mutex.Lock(ctx))
			p.increase(args[1])
			check(mutex.Unlock(ctx))
		}
		fmt.Println("done")
	case "increment":
		for range number(args[1]) {
			_, err := concurrency.NewSTM(p.client, func(s concurrency.STM) error {
				n, _ := strconv.Atoi(s.Get(args[0]))
				s.Put(args[0], strconv.Itoa(n+1))
				return nil
			})
			check(err)
		}
		fmt.Println("done")
	case "poll":
		for !p.try(args[0]) {
			fmt.Println("polled")
			time.Sleep(time.Duration(number(args[1])) * time.Millisecond)
		}
		p.sayLocked()
	case "await":
		p.await(args[0])
	default:
		check(errors.New("unknown command " + command))
	}
}

func (p *program) try(name string) bool {
	p.mutex = concurrency.NewMutex(p.session, name)
	err := p.mutex.TryLock(ctx)
	if err != nil && !errors.Is(err, concurrency.ErrLocked) {
		check(err)
	}
	return err == nil
}

func (p *program) await(name string) {
	changes := p.client.Watch(ctx, name+"/", clientv3.WithPrefix(), clientv3.WithFilterPut(), clientv3.WithCreatedNotify())
	<-changes
	for !p.try(name) {
		fmt.Println("waiting")
		// Our own key is deleted, too, by a TryLock in vain.
		for gone := false; !gone; {
			for _, event := range (<-changes).Events {
				gone = gone || string(event.Kv.Key) != fmt.Sprintf("%s/%x", name, p.session.Lease())
			}
		}
	}
	p.sayLocked()
}

func (p *program) sayLocked() {
	key := p.mutex.Key()
	found, err := p.client.Get(ctx, key)
	check(err)
	fmt.Println("locked", key, found.Kvs[0].CreateRevision)
}

// Not atomic on purpose: only the lock makes it so.
func (p *program) increase(key string) {
	found, err := p.client.Get(ctx, key)
	check(err)
	n := 0
	if len(found.Kvs) > 0 {
		n = number(string(found.Kvs[0].Value))
	}
	_, err = p.client.Put(ctx, key, strconv.Itoa(n+1))
	check(err)
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	check(err)
	return n
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
