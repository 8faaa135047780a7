;; Two states that hand over to each other by tail calls, and two memories: the text is composed in
;; `$scratch`, which no import can reach, and copied to `$memory`, which WASI can, to be printed.
(module $relay
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory $memory (export "memory") 1)
  (memory $scratch 1)
  (data (memory $scratch) (i32.const 0) "relay: 0000000 hand-overs\0a")

  (type $state (func (param i32 i32) (result i32)))
  (table $states funcref (elem $ping $pong))

  ;; One million hand-overs deep, on a stack that does not grow.
  (func $ping (type $state)
    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
    (return_call $pong
      (i32.sub (local.get 0) (i32.const 1))
      (i32.add (local.get 1) (i32.const 1))))
  (func $pong (type $state)
    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
    (return_call_indirect $states (type $state)
      (i32.sub (local.get 0) (i32.const 1))
      (i32.add (local.get 1) (i32.const 1))
      (i32.const 0)))

  ;; Writes $value in decimal so that its last digit lands at $at.
  (func $digits (param $value i32) (param $at i32)
    (i32.store8 $scratch (local.get $at)
      (i32.add (i32.const 48) (i32.rem_u (local.get $value) (i32.const 10))))
    (if (i32.ge_u (local.get $value) (i32.const 10))
      (then
        (return_call $digits
          (i32.div_u (local.get $value) (i32.const 10))
          (i32.sub (local.get $at) (i32.const 1))))))

  (func (export "_start")
    (call $digits (call $ping (i32.const 1000000) (i32.const 0)) (i32.const 13))
    (memory.copy $memory $scratch (i32.const 16) (i32.const 0) (i32.const 26))
    (i32.store $memory (i32.const 0) (i32.const 16))
    (i32.store $memory (i32.const 4) (i32.const 26))
    (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
      (then (call $proc_exit (i32.const 1))))))
