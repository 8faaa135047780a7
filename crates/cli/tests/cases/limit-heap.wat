;; A list that never ends fills the heap, however often it is collected.
;; RUN: run --max-heap 8MiB --invoke list %s
;; EXIT: 134
(module
  (type $node (struct (field (ref null $node))))
  (func (export "list") (local $l (ref null $node))
    (loop $again
      (local.set $l (struct.new $node (local.get $l)))
      (br $again))))
