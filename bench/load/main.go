// Loads that etcd's own benchmark lacks, with etcd's own Go client. Prints one line of JSON.
//
//	load txn    one compare of mod_revision and one put: how Kubernetes updates an object
//	load fill   many keys quickly: transactions of 100 puts, every key written --rounds times
//	load range  all keys below --prefix, --total times, one after the other; bytes, not decoded
//	load drain  the same with a client that only counts, on a connection of its own: see drain.go
//	load count  the same, only the count
//	load put    puts of random keys for --seconds, for latencies while something else goes on
//	load idle | behind | expire    see watch.go
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

var (
	endpoint = flag.String("endpoint", "127.0.0.1:2379", "")
	clients  = flag.Int("clients", 100, "goroutines")
	conns    = flag.Int("conns", 10, "connections")
	total    = flag.Int("total", 10000, "requests")
	keys     = flag.Int("keys", 1000, "size of the key space")
	rounds   = flag.Int("rounds", 1, "fill: times every key is written")
	valSize  = flag.Int("val-size", 256, "bytes of a value")
	prefix   = flag.String("prefix", "/registry/fill/", "range, count: of the keys")
	seconds  = flag.Float64("seconds", 5, "put: how long")
	streams  = flag.Int("streams", 1000, "idle: streams")
	pause    = flag.Duration("pause", 100*time.Millisecond, "behind: between two answers")
	ttl      = flag.Int64("ttl", 20, "expire: seconds")
)

func main() {
	kind := os.Args[1]
	os.Args = append(os.Args[:1], os.Args[2:]...)
	flag.Parse()
	connections := make([]*clientv3.Client, *conns)
	for i := range connections {
		c, err := clientv3.New(clientv3.Config{Endpoints: []string{*endpoint}, DialTimeout: 5 * time.Second})
		fail(err)
		connections[i] = c
	}
	value := strings.Repeat("v", *valSize)
	switch kind {
	case "idle":
		idle(connections, *streams, *total)
		return
	case "behind":
		behind(connections[0], *pause)
		return
	case "expire":
		expire(connections, *total, *ttl, value)
		return
	}
	var objects [][]object
	if kind == "txn" {
		objects = readObjects(connections[0])
	}
	var next, failed int64
	start := time.Now()
	deadline := start.Add(time.Duration(*seconds * float64(time.Second)))
	latencies := make([][]float64, *clients)
	work := func(worker int, c *clientv3.Client) {
		latencies[worker] = make([]float64, 0, 2**total / *clients)
		for {
			n := int(atomic.AddInt64(&next, 1) - 1)
			if kind == "put" && time.Now().After(deadline) || kind != "put" && kind != "fill" && n >= *total || kind == "fill" && n*100 >= *keys**rounds {
				return
			}
			began := time.Now()
			var err error
			switch kind {
			case "txn":
				own := objects[worker]
				err = own[n%len(own)].update(c, value)
			case "fill":
				ops := make([]clientv3.Op, 0, 100)
				for i := n * 100; i < n*100+100 && i < *keys**rounds; i++ {
					ops = append(ops, clientv3.OpPut(fmt.Sprintf("/registry/fill/%010d", i%*keys), value))
				}
				_, err = c.Txn(context.Background()).Then(ops...).Commit()
			case "range", "count":
				err = rangeAll(c.ActiveConnection(), kind == "count")
			case "drain":
				var bytes int64
				bytes, err = drainOnce()
				atomic.AddInt64(&received, bytes)
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
				}
			default:
				_, err = c.Put(context.Background(), fmt.Sprintf("/put/%08d", rand.Intn(*keys)), value)
			}
			if err != nil {
				atomic.AddInt64(&failed, 1)
			}
			latencies[worker] = append(latencies[worker], time.Since(began).Seconds())
		}
	}
	var group sync.WaitGroup
	for i := 0; i < *clients; i++ {
		group.Add(1)
		go func() { defer group.Done(); work(i, connections[i%*conns]) }()
	}
	group.Wait()
	report(time.Since(start).Seconds(), latencies, failed)
}

// An object as its only writer knows it.
type object struct {
	key      string
	revision int64
}

// The objects of each worker, as they are now: that is read before the clock starts, so that every
// transaction finds what it expects.
func readObjects(c *clientv3.Client) [][]object {
	const prefix = "/registry/pods/"
	r, err := c.Get(context.Background(), prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	fail(err)
	revisions := map[string]int64{}
	for _, kv := range r.Kvs {
		revisions[string(kv.Key)] = kv.ModRevision
	}
	objects := make([][]object, *clients)
	for worker := range objects {
		for i := 0; i <= *keys / *clients; i++ {
			key := fmt.Sprintf("%s%d/%06d", prefix, worker, i)
			objects[worker] = append(objects[worker], object{key, revisions[key]})
		}
	}
	return objects
}

func (o *object) update(c *clientv3.Client, value string) error {
	r, err := c.Txn(context.Background()).
		If(clientv3.Compare(clientv3.ModRevision(o.key), "=", o.revision)).
		Then(clientv3.OpPut(o.key, value)).
		Else(clientv3.OpGet(o.key)).Commit()
	if err != nil {
		return err
	}
	if !r.Succeeded {
		return fmt.Errorf("%s has another writer", o.key)
	}
	o.revision = r.Header.Revision
	return nil
}

// What came, as it came: the client must not be what is measured.
type raw struct{}

var received int64

func (raw) Marshal(v any) ([]byte, error) { return proto.Marshal(v.(proto.Message)) }
func (raw) Unmarshal(data []byte, v any) error {
	atomic.AddInt64(&received, int64(len(data)))
	return nil
}
func (raw) Name() string { return "proto" }

func rangeAll(conn *grpc.ClientConn, countOnly bool) error {
	end := []byte(*prefix)
	end[len(end)-1]++
	request := &pb.RangeRequest{Key: []byte(*prefix), RangeEnd: end, CountOnly: countOnly}
	return conn.Invoke(context.Background(), "/etcdserverpb.KV/Range", request, &pb.RangeResponse{},
		grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(1<<30))
}

func report(took float64, latencies [][]float64, failed int64) {
	var all []float64
	for _, l := range latencies {
		all = append(all, l...)
	}
	at := func(p float64) float64 { return quantile(all, p) }
	fail(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"bytes": received, "requests": len(all), "failed": failed, "seconds": took, "rate": float64(len(all)) / took,
		"p50": at(0.5), "p99": at(0.99), "max": at(1),
	}))
}

func quantile(all []float64, p float64) float64 {
	if len(all) == 0 {
		return 0
	}
	sort.Float64s(all)
	return all[int(p*float64(len(all)-1))]
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
