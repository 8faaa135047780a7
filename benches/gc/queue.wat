;; A queue that ages: 300,000 linked entries, each of which lives as long as every other, so that none dies young.
;; Each append stores a new object into what was, a moment ago, the newest old one.
(module
  (type $payload (struct (field $value i64) (field $weight f64)))
  (type $entry (struct (field $next (mut (ref null $entry))) (field $payload (ref $payload))))

  (global $live i32 (i32.const 300000))
  (global $turns i32 (i32.const 6000000))
  (global $head (mut (ref null $entry)) (ref.null $entry))
  (global $tail (mut (ref null $entry)) (ref.null $entry))

  (func $push (param $value i64)
    (local $new (ref $entry))
    (local.set $new
      (struct.new $entry
        (ref.null $entry)
        (struct.new $payload (local.get $value) (f64.convert_i64_s (local.get $value)))))
    (if (ref.is_null (global.get $tail))
      (then (global.set $head (local.get $new)))
      (else (struct.set $entry $next (global.get $tail) (local.get $new))))
    (global.set $tail (local.get $new)))

  (func $pop (result (ref $payload))
    (local $first (ref $entry))
    (local.set $first (ref.as_non_null (global.get $head)))
    (global.set $head (struct.get $entry $next (local.get $first)))
    (struct.get $entry $payload (local.get $first)))

  (func (export "run") (result i64)
    (local $i i32) (local $sum i64) (local $weights f64) (local $out (ref null $payload))
    (loop $fill
      (call $push (i64.extend_i32_u (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $fill (i32.lt_u (local.get $i) (global.get $live))))
    (loop $turn
      (call $push (i64.extend_i32_u (local.get $i)))
      (local.set $out (call $pop))
      (local.set $sum
        (i64.add
          (i64.rotl (local.get $sum) (i64.const 7))
          (struct.get $payload $value (local.get $out))))
      (local.set $weights (f64.add (local.get $weights) (struct.get $payload $weight (local.get $out))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $turn (i32.lt_u (local.get $i) (global.get $turns))))
    (i64.xor (local.get $sum) (i64.trunc_f64_s (local.get $weights)))))
