;; A list three million deep, built and dropped four times: a collector that follows references by recursion overflows.
(module
  (type $list (struct (field $rest (ref null $list)) (field $value i32)))

  (func $build (param $n i32) (result (ref null $list))
    (local $list (ref null $list))
    (loop $more
      (local.set $list (struct.new $list (local.get $list) (local.get $n)))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $list))

  (func $sum (param $list (ref null $list)) (result i64)
    (local $sum i64)
    (block $end
      (loop $more
        (br_if $end (ref.is_null (local.get $list)))
        (local.set $sum
          (i64.add
            (i64.rotl (local.get $sum) (i64.const 1))
            (i64.extend_i32_u (struct.get $list $value (local.get $list)))))
        (local.set $list (struct.get $list $rest (local.get $list)))
        (br $more)))
    (local.get $sum))

  (func (export "run") (result i64)
    (local $list (ref null $list)) (local $round i32) (local $sum i64)
    (loop $rounds
      (local.set $list (call $build (i32.const 3000000)))
      (local.set $sum (i64.add (local.get $sum) (call $sum (local.get $list))))
      (local.set $list (ref.null $list))
      ;; Short-lived lists beside nothing: the deep one is found dead here at the latest.
      (local.set $sum (i64.xor (local.get $sum) (call $sum (call $build (i32.const 1000000)))))
      (local.set $round (i32.add (local.get $round) (i32.const 1)))
      (br_if $rounds (i32.lt_u (local.get $round) (i32.const 4))))
    (local.get $sum)))
