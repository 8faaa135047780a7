;; Rings of ten objects, each ring garbage as soon as it is closed: 10^9 bytes and more (42 million objects of at least
;; 24) that only a collector which reclaims cycles gives back. Peak memory is the figure to look at.
(module
  (type $link (struct (field $next (mut (ref null $link))) (field $before (ref null $link)) (field $value i64)))

  (func $ring (param $seed i64) (result i64)
    (local $first (ref $link)) (local $last (ref $link)) (local $i i32) (local $sum i64)
    (local.set $first (struct.new $link (ref.null $link) (ref.null $link) (local.get $seed)))
    (local.set $last (local.get $first))
    (local.set $i (i32.const 9))
    (loop $more
      (local.set $last
        (struct.new $link
          (ref.null $link) (local.get $last) (i64.add (local.get $seed) (i64.extend_i32_u (local.get $i)))))
      (struct.set $link $next
        (ref.as_non_null (struct.get $link $before (local.get $last)))
        (local.get $last))
      (br_if $more (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
    (struct.set $link $next (local.get $last) (local.get $first))
    ;; Twice around.
    (local.set $i (i32.const 20))
    (loop $around
      (local.set $sum (i64.add (local.get $sum) (struct.get $link $value (local.get $first))))
      (local.set $first (ref.as_non_null (struct.get $link $next (local.get $first))))
      (br_if $around (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
    (local.get $sum))

  (func (export "run") (result i64)
    (local $i i64) (local $sum i64)
    (loop $rings
      (local.set $sum (i64.xor (i64.rotl (local.get $sum) (i64.const 3)) (call $ring (local.get $i))))
      (local.set $i (i64.add (local.get $i) (i64.const 1)))
      (br_if $rings (i64.lt_u (local.get $i) (i64.const 4200000))))
    (local.get $sum)))
