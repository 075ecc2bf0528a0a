package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func openWatch(c *clientv3.Client) pb.Watch_WatchClient {
	stream, err := pb.NewWatchClient(c.ActiveConnection()).Watch(context.Background())
	fail(err)
	return stream
}

func create(stream pb.Watch_WatchClient, request *pb.WatchCreateRequest) {
	fail(stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: request}}))
}

// load idle: opens --total watchers of a key each on --streams streams, says "ready" and keeps them
// until the end of the input.
func idle(connections []*clientv3.Client, streams, total int) {
	var group sync.WaitGroup
	each := total / streams
	for i := range streams {
		stream := openWatch(connections[i%len(connections)])
		group.Add(1)
		go func() {
			defer group.Done()
			for range each {
				answer, err := stream.Recv()
				fail(err)
				if !answer.Created {
					fail(fmt.Errorf("not created: %v", answer))
				}
			}
		}()
		for j := range each {
			create(stream, &pb.WatchCreateRequest{Key: []byte(fmt.Sprintf("/registry/idle/%04d/%04d", i, j))})
		}
	}
	group.Wait()
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadString('\n')
}

// load behind: a watcher that begins at the first revision and reads one answer every --pause. Says
// how many revisions it is behind, once at the start and, after a line of input, at the end.
func behind(c *clientv3.Client, pause time.Duration) {
	newest := func() int64 {
		answer, err := c.Get(context.Background(), "\x00")
		fail(err)
		return answer.Header.Revision
	}
	stream := openWatch(c)
	create(stream, &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: 1})
	var seen int64
	go func() {
		for {
			answer, err := stream.Recv()
			fail(err)
			if n := len(answer.Events); n > 0 {
				if answer.Events[0].Type != mvccpb.PUT {
					fail(fmt.Errorf("unexpected event"))
				}
				atomic.StoreInt64(&seen, answer.Events[n-1].Kv.ModRevision)
			}
			time.Sleep(pause)
		}
	}()
	fmt.Println(newest() - atomic.LoadInt64(&seen))
	bufio.NewReader(os.Stdin).ReadString('\n')
	fmt.Println(newest() - atomic.LoadInt64(&seen))
}

// load expire: --total leases of ten keys each that end together. Puts before and meanwhile.
func expire(connections []*clientv3.Client, total int, ttl int64, value string) {
	ids := make([]clientv3.LeaseID, total)
	ctx := context.Background()
	parallel(len(connections)*10, total, func(n int) {
		c := connections[n%len(connections)]
		lease, err := c.Grant(ctx, ttl)
		fail(err)
		ids[n] = lease.ID
		ops := make([]clientv3.Op, 10)
		for k := range ops {
			ops[k] = clientv3.OpPut(fmt.Sprintf("/leased/%05d/%d", n, k), value, clientv3.WithLease(lease.ID))
		}
		_, err = c.Txn(ctx).Then(ops...).Commit()
		fail(err)
	})
	// All of them end one TTL after this.
	parallel(len(connections)*10, total, func(n int) {
		_, err := connections[n%len(connections)].KeepAliveOnce(ctx, ids[n])
		fail(err)
	})
	end := time.Now().Add(time.Duration(ttl) * time.Second)
	before := puts(connections, value, func() bool { return time.Until(end) < 2*time.Second })
	time.Sleep(time.Until(end) - 500*time.Millisecond)
	var gone atomic.Bool
	began := time.Now()
	go func() {
		for deadline := end.Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
			left, err := connections[0].Get(ctx, "/leased/", clientv3.WithPrefix(), clientv3.WithCountOnly())
			fail(err)
			if left.Count == 0 {
				break
			}
		}
		gone.Store(true)
	}()
	meanwhile := puts(connections, value, gone.Load)
	took := time.Since(began).Seconds()
	fail(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"before": quantile(before, 0.99), "meanwhile": quantile(meanwhile, 0.99), "took": took,
		"count": len(meanwhile), "max": quantile(meanwhile, 1),
	}))
}

// Ten clients that put one key after the other, far from what the server can do.
func puts(connections []*clientv3.Client, value string, isOver func() bool) []float64 {
	var lock sync.Mutex
	var all []float64
	var group sync.WaitGroup
	for i := range 10 {
		group.Add(1)
		go func() {
			defer group.Done()
			for n := 0; !isOver(); n++ {
				start := time.Now()
				_, err := connections[i%len(connections)].Put(context.Background(), fmt.Sprintf("/put/%d/%d", i, n%1000), value)
				fail(err)
				took := time.Since(start).Seconds()
				lock.Lock()
				all = append(all, took)
				lock.Unlock()
				time.Sleep(5 * time.Millisecond)
			}
		}()
	}
	group.Wait()
	return all
}

func parallel(workers, total int, work func(int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Add(1)
		go func() {
			defer group.Done()
			for n := int(next.Add(1) - 1); n < total; n = int(next.Add(1) - 1) {
				work(n)
			}
		}()
	}
	group.Wait()
}
