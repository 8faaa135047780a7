;; A guest by hand: it passes on what it is given, and keeps receipts as their numbers.
(module
  (import "test:market/goods@0.1.0" "[constructor]basket" (func $basket (param i32) (result i32)))
  (import "test:market/goods@0.1.0" "[method]basket.put" (func $put (param i32 i32) (result i32)))
  (import "test:market/goods@0.1.0" "[resource-drop]basket" (func $drop (param i32)))
  (import "test:market/goods@0.1.0" "double"
    (func $double (param i32 i32 i32 i32 i32 i32 i32 f64 i32)))
  (import "$root" "note" (func $note (param i32 i32)))
  (import "[export]test:market/till@0.1.0" "[resource-new]receipt"
    (func $new (param i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "filled")
  (global $free (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32)
    (result i32)
    (local $at i32)
    (local.set $at
      (i32.and
        (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
    (global.set $free (i32.add (local.get $at) (local.get $new)))
    (local.get $at))

  ;; What `double` returns is a result at 64; the item in it is at 72, and has the layout that is returned.
  (func (export "test:market/till@0.1.0#echo")
    (param i32 i32 i32 i32 i32 i32 i32 f64) (result i32)
    (call $double (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
      (local.get 6) (local.get 7) (i32.const 64))
    (if (i32.load8_u (i32.const 64)) (then unreachable))
    (i32.const 72))

  (func (export "test:market/till@0.1.0#fill") (param $times i32) (result i32)
    (local $basket i32) (local $held i32)
    (local.set $basket (call $basket (i32.const 3)))
    (loop $again
      (local.set $held
        (i32.add (local.get $held) (call $put (local.get $basket) (i32.const 1))))
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br_if $again (local.get $times)))
    (call $drop (local.get $basket))
    (call $note (i32.const 16) (i32.const 6))
    (local.get $held))

  (func (export "test:market/till@0.1.0#[constructor]receipt") (param i32) (result i32)
    (call $new (local.get 0)))
  (func (export "test:market/till@0.1.0#[method]receipt.number") (param i32) (result i32)
    (local.get 0))

  (func (export "sum") (param $at i32) (param $len i32) (param $text i32) (param $bytes i32)
    (result i32)
    (local $sum i32)
    (local.set $sum (local.get $bytes))
    (block $done
      (loop $again
        (br_if $done (i32.eqz (local.get $len)))
        (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (local.set $len (i32.sub (local.get $len) (i32.const 1)))
        (br $again)))
    (local.get $sum)))
