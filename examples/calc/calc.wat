;; A library without imports: call its exports with `dunlin run --invoke NAME calc.wasm ARGUMENTS`.
(module $calc
  (func (export "add") (param $a i32) (param $b i32) (result i32)
    (i32.add (local.get $a) (local.get $b)))

  ;; Traps when $b is 0: the engine prints the trap and where it happened.
  (func (export "divide") (param $a i32) (param $b i32) (result i32)
    (i32.div_s (local.get $a) (local.get $b)))

  ;; Two results: quotient and remainder.
  (func (export "divmod") (param $a i64) (param $b i64) (result i64 i64)
    (i64.div_s (local.get $a) (local.get $b))
    (i64.rem_s (local.get $a) (local.get $b)))

  (func $factorial (export "factorial") (param $n i64) (result i64)
    (if (result i64) (i64.eqz (local.get $n))
      (then (i64.const 1))
      (else
        (i64.mul
          (local.get $n)
          (call $factorial (i64.sub (local.get $n) (i64.const 1)))))))

  (func (export "hypotenuse") (param $a f64) (param $b f64) (result f64)
    (f64.sqrt
      (f64.add
        (f64.mul (local.get $a) (local.get $a))
        (f64.mul (local.get $b) (local.get $b)))))

  ;; Fails three calls deep, to show what a backtrace looks like.
  (func (export "crash") (call $outer (i32.const 3)))
  (func $outer (param $n i32) (call $inner (i32.mul (local.get $n) (i32.const 2))))
  (func $inner (param $n i32)
    (if (i32.gt_u (local.get $n) (i32.const 5)) (then unreachable))))
