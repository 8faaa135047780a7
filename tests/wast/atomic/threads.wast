;; Threads that share a memory: nothing is lost, growth is seen, waiting ends.

(module $Mem (memory (export "shared") 1 9 shared) (memory (export "wide") i64 1 1 shared))

(thread $Add (shared (module $Mem))
  (register "mem" $Mem)
  (module
    (import "mem" "shared" (memory 1 9 shared))
    (func (export "run") (local i32)
      (loop
        (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
        (drop (i32.atomic.rmw8.add_u (i32.const 9) (i32.const 1)))
        (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 20000))))))
  (assert_return (invoke "run")))

(thread $Compare (shared (module $Mem))
  (register "mem" $Mem)
  (module
    (import "mem" "shared" (memory 1 9 shared))
    (func (export "run") (local i32 i32)
      (loop
        (loop
          (local.set 1 (i32.atomic.load (i32.const 0)))
          (br_if 0 (i32.ne (local.get 1)
            (i32.atomic.rmw.cmpxchg (i32.const 0)
              (local.get 1) (i32.add (local.get 1) (i32.const 1))))))
        (drop (i32.atomic.rmw8.sub_u (i32.const 9) (i32.const 1)))
        (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 20000))))))
  (assert_return (invoke "run")))

(wait $Add)
(wait $Compare)

(module
  (import "Mem" "shared" (memory 1 9 shared))
  (func (export "sum") (result i32) (i32.load (i32.const 0)))
  (func (export "around") (result i64) (i64.load (i32.const 8))))
(assert_return (invoke "sum") (i32.const 40000))
(assert_return (invoke "around") (i64.const 0))

;; Ping and pong: each waits for the other a thousand times.
(thread $Ping (shared (module $Mem))
  (register "mem" $Mem)
  (module
    (import "mem" "shared" (memory 1 9 shared))
    (func (export "run") (local i32)
      (loop
        (i32.atomic.store (i32.const 64) (i32.const 1))
        (drop (memory.atomic.notify (i32.const 64) (i32.const -1)))
        (loop
          (drop (memory.atomic.wait32 (i32.const 64) (i32.const 1) (i64.const -1)))
          (br_if 0 (i32.atomic.load (i32.const 64))))
        (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 1000))))))
  (assert_return (invoke "run")))

(thread $Pong (shared (module $Mem))
  (register "mem" $Mem)
  (module
    (import "mem" "shared" (memory 1 9 shared))
    (func (export "run") (local i32)
      (loop
        (loop
          (drop (memory.atomic.wait32 (i32.const 64) (i32.const 0) (i64.const -1)))
          (br_if 0 (i32.eqz (i32.atomic.load (i32.const 64)))))
        (i32.atomic.store (i32.const 64) (i32.const 0))
        (drop (memory.atomic.notify (i32.const 64) (i32.const -1)))
        (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 1000))))))
  (assert_return (invoke "run")))

(wait $Ping)
(wait $Pong)

;; A thread that waits for a page another adds, and finds what that has written there.
(thread $Wait (shared (module $Mem))
  (register "mem" $Mem)
  (module
    (import "mem" "shared" (memory 1 9 shared))
    (func (export "run") (result i32)
      (loop (br_if 0 (i32.lt_u (memory.size) (i32.const 5))))
      (loop (br_if 0 (i32.eqz (i32.atomic.load (i32.const 0x40000)))))
      (i32.load offset=4 (i32.const 0x40000))))
  (assert_return (invoke "run") (i32.const 42)))

(thread $Grow (shared (module $Mem))
  (register "mem" $Mem)
  (module
    (import "mem" "shared" (memory 1 9 shared))
    (func (export "run") (result i32)
      (local i32)
      (loop
        (drop (memory.grow (i32.const 1)))
        (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 4))))
      (i32.store offset=4 (i32.const 0x40000) (i32.const 42))
      (i32.atomic.store (i32.const 0x40000) (i32.const 1))
      (memory.size)))
  (assert_return (invoke "run") (i32.const 5)))

(wait $Wait)
(wait $Grow)

;; A memory with 64-bit addresses; what another thread waits for is notified until it is there.
(thread $Sleep (shared (module $Mem))
  (register "mem" $Mem)
  (module
    (import "mem" "wide" (memory i64 1 1 shared))
    (func (export "run") (result i32)
      (memory.atomic.wait64 offset=8 (i64.const 0) (i64.const 0) (i64.const -1))))
  (assert_return (invoke "run") (i32.const 0)))

(thread $Wake (shared (module $Mem))
  (register "mem" $Mem)
  (module
    (import "mem" "wide" (memory i64 1 1 shared))
    (func (export "run") (result i32)
      (loop (br_if 0 (i32.eqz (memory.atomic.notify (i64.const 8) (i32.const 0x80000000)))))
      (memory.atomic.notify (i64.const 8) (i32.const -1))))
  (assert_return (invoke "run") (i32.const 0)))

(wait $Sleep)
(wait $Wake)
