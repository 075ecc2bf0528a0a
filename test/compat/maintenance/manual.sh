# The maintenance manual of etcd (op-guide/maintenance), command by command, in a shell as an
# operator has it: etcdctl and etcdutl on the PATH, ETCDCTL_ENDPOINTS set, a quota of 16 MiB.

say() { echo "\$ $*"; "$@" 2>&1; echo "exit $?"; }

# History compaction: API version 3
etcdctl put somekey one >/dev/null; etcdctl put somekey two >/dev/null
etcdctl put somekey three >/dev/null
say etcdctl compact 3
say etcdctl get --rev=2 somekey
say etcdctl compact 3
say etcdctl compact 1000000
say etcdctl get somekey

# Space quota
fill() {
  while [ 1 ]; do dd if=/dev/urandom bs=1024 count=1024 2>/dev/null \
    | ETCDCTL_API=3 etcdctl put key || break; done 2>&1 | grep -v '^{' | uniq
}
say fill
say etcdctl --write-out=table endpoint status
say etcdctl alarm list
say etcdctl get somekey
say etcdctl put newkey 123

rev=$(ETCDCTL_API=3 etcdctl endpoint status --write-out="json" | egrep -o '"revision":[0-9]*' | egrep -o '[0-9].*')
echo "rev is a number: $(echo "$rev" | egrep -c '^[0-9]+$')"
say etcdctl compact $rev
say etcdctl defrag
say etcdctl alarm disarm
say etcdctl put newkey 123
say etcdctl alarm list
say etcdctl endpoint health
say etcdctl get --rev=2 somekey
say etcdctl get newkey

# Defragmentation of all members
say etcdctl defrag --cluster

# Snapshot backup
say etcdctl snapshot save backup.db
say etcdutl --write-out=table snapshot status backup.db
say etcdutl snapshot restore backup.db --data-dir restored --bump-revision 1000000000 --mark-compacted
say ls restored/member/snap
say etcdutl snapshot restore backup.db --data-dir restored
say etcdutl defrag --data-dir restored
say etcdutl snapshot status restored/member/snap/db -w fields
