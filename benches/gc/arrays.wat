;; Array churn: a long-lived table whose 16,384 slots are refilled at random with arrays of references, of integers,
;; of bytes and of floats, from 1 to 64 elements and sometimes thousands; young arrays are stored into old ones, old
;; into young, and byte arrays grow by being copied.
(module
  (type $table (array (mut eqref)))
  (type $ints (array (mut i32)))
  (type $refs (array (mut (ref null $ints))))
  (type $bytes (array (mut i8)))
  (type $floats (array (mut f64)))

  (global $slots i32 (i32.const 16384))
  (global $steps i32 (i32.const 1500000))
  (global $seed (mut i32) (i32.const 12345))

  ;; A number below a power of two.
  (func $random (param $bits i32) (result i32)
    (global.set $seed
      (i32.add (i32.mul (global.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
    (i32.shr_u (global.get $seed) (i32.sub (i32.const 32) (local.get $bits))))

  ;; One in 1,024 arrays is of thousands of elements.
  (func $length (result i32)
    (if (result i32) (call $random (i32.const 10))
      (then (i32.add (i32.const 1) (call $random (i32.const 6))))
      (else (i32.add (i32.const 1) (call $random (i32.const 13))))))

  (func $new_ints (param $i i32) (result (ref $ints))
    (local $a (ref $ints)) (local $n i32)
    (local.set $n (call $length))
    (local.set $a (array.new $ints (local.get $i) (local.get $n)))
    (array.set $ints (local.get $a) (i32.sub (local.get $n) (i32.const 1)) (local.get $n))
    (local.get $a))

  ;; An array of references to new ones and to one that the table holds.
  (func $new_refs (param $table (ref $table)) (param $i i32) (result (ref $refs))
    (local $a (ref $refs)) (local $n i32) (local $k i32) (local $old eqref)
    (local.set $n (i32.add (i32.const 1) (call $random (i32.const 4))))
    (local.set $a (array.new_default $refs (local.get $n)))
    (local.set $old
      (array.get $table (local.get $table) (call $random (i32.const 14))))
    (if (ref.test (ref $ints) (local.get $old))
      (then (array.set $refs (local.get $a) (i32.const 0) (ref.cast (ref $ints) (local.get $old)))))
    (local.set $k (i32.const 1))
    (block $done
      (loop $fill
        (br_if $done (i32.ge_u (local.get $k) (local.get $n)))
        (array.set $refs (local.get $a) (local.get $k)
          (array.new_fixed $ints 2 (local.get $i) (local.get $k)))
        (local.set $k (i32.add (local.get $k) (i32.const 2)))
        (br $fill)))
    (local.get $a))

  ;; Bytes that outgrew their array: twice the length, the old ones copied, the rest filled.
  (func $grown (param $a (ref $bytes)) (result (ref $bytes))
    (local $n i32) (local $b (ref $bytes))
    (local.set $n (array.len (local.get $a)))
    (if (i32.gt_u (local.get $n) (i32.const 4096))
      (then (return (array.new $bytes (local.get $n) (i32.const 16)))))
    (local.set $b (array.new_default $bytes (i32.shl (local.get $n) (i32.const 1))))
    (array.copy $bytes $bytes
      (local.get $b) (i32.const 0) (local.get $a) (i32.const 0) (local.get $n))
    (array.fill $bytes (local.get $b) (local.get $n) (local.get $n) (local.get $n))
    (local.get $b))

  ;; What an array adds to the checksum: its length and two elements.
  (func $weigh (param $x eqref) (result i32)
    (local $n i32) (local $refs (ref null $refs)) (local $in (ref null $ints))
    (block $null
      (br_if $null (ref.is_null (local.get $x)))
      (if (ref.test (ref $ints) (local.get $x))
        (then
          (local.set $n (array.len (ref.cast (ref array) (local.get $x))))
          (return
            (i32.add (local.get $n)
              (array.get $ints (ref.cast (ref $ints) (local.get $x))
                (i32.sub (local.get $n) (i32.const 1)))))))
      (if (ref.test (ref $bytes) (local.get $x))
        (then
          (local.set $n (array.len (ref.cast (ref array) (local.get $x))))
          (return
            (i32.add (local.get $n)
              (array.get_u $bytes (ref.cast (ref $bytes) (local.get $x))
                (i32.shr_u (local.get $n) (i32.const 1)))))))
      (if (ref.test (ref $floats) (local.get $x))
        (then
          (return
            (i32.trunc_sat_f64_s
              (array.get $floats (ref.cast (ref $floats) (local.get $x)) (i32.const 0))))))
      (local.set $refs (ref.cast (ref $refs) (local.get $x)))
      (local.set $in
        (array.get $refs (local.get $refs)
          (i32.sub (array.len (local.get $refs)) (i32.const 1))))
      (if (ref.is_null (local.get $in))
        (then (return (array.len (local.get $refs)))))
      (return (array.get $ints (local.get $in) (i32.const 0))))
    (i32.const 0))

  (func (export "run") (result i64)
    (local $table (ref $table)) (local $i i32) (local $slot i32) (local $kind i32)
    (local $sum i64) (local $old eqref)
    (local.set $table (array.new_default $table (global.get $slots)))
    (loop $step
      (local.set $slot (call $random (i32.const 14)))
      (local.set $old (array.get $table (local.get $table) (local.get $slot)))
      (local.set $kind (call $random (i32.const 3)))
      (local.set $sum
        (i64.add
          (i64.rotl (local.get $sum) (i64.const 5))
          (i64.extend_i32_s (call $weigh (local.get $old)))))
      (block $next
        ;; Into an old array of references: a young one.
        (if (ref.test (ref $refs) (local.get $old))
          (then
            (array.set $refs (ref.cast (ref $refs) (local.get $old)) (i32.const 0)
              (call $new_ints (local.get $i)))
            ;; Half of them stay.
            (br_if $next (i32.and (local.get $kind) (i32.const 1)))))
        (if (ref.test (ref $bytes) (local.get $old))
          (then
            (array.set $table (local.get $table) (local.get $slot)
              (call $grown (ref.cast (ref $bytes) (local.get $old))))
            (br_if $next (i32.and (local.get $kind) (i32.const 1)))))
        (block $floats
          (block $bytes
            (block $ints
              (block $refs
                (br_table $refs $refs $ints $ints $ints $bytes $bytes $floats (local.get $kind)))
              (array.set $table (local.get $table) (local.get $slot)
                (call $new_refs (local.get $table) (local.get $i)))
              (br $next))
            (array.set $table (local.get $table) (local.get $slot) (call $new_ints (local.get $i)))
            (br $next))
          (array.set $table (local.get $table) (local.get $slot)
            (array.new $bytes (local.get $i) (call $length)))
          (br $next))
        (array.set $table (local.get $table) (local.get $slot)
          (array.new $floats (f64.convert_i32_u (local.get $i)) (call $length))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $step (i32.lt_u (local.get $i) (global.get $steps))))
    (local.get $sum)))
