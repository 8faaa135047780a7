(core module $Memory
  (import "" "leave" (func $leave (param i32) (result i32)))
  (memory (export "memory") 1 %PAGES_MAX%)
  (data (i32.const %TOP%) "%TOP_BYTES%")
  (func (export "realloc")
    (param $old i32) (param $old_size i32) (param $alignment i32) (param $new_size i32) (result i32)
    (local $number i32) (local $entry i32) (local $result i32)
    (local.set $number (i32.load (i32.const %REALLOC_COUNT%)))
    (i32.store (i32.const %REALLOC_COUNT%) (i32.add (local.get $number) (i32.const 1)))
    (local.set $entry (i32.add (i32.const %LOG%)
      (i32.mul (i32.and (local.get $number) (i32.const %LOG_MASK%)) (i32.const %LOG_ENTRY%))))
    (i32.store (local.get $entry) (local.get $old))
    (i32.store offset=4 (local.get $entry) (local.get $old_size))
    (i32.store offset=8 (local.get $entry) (local.get $alignment))
    (i32.store offset=12 (local.get $entry) (local.get $new_size))
    (if (i32.eq (local.get $number) (i32.load (i32.const %STRIKE_AT%)))
      (then (local.set $result (call $strike
        (local.get $old) (local.get $old_size) (local.get $alignment) (local.get $new_size))))
      (else (local.set $result (call $usual
        (local.get $old) (local.get $old_size) (local.get $alignment) (local.get $new_size)))))
    (i32.store offset=16 (local.get $entry) (local.get $result))
    (local.get $result))
  (func $strike
    (param $old i32) (param $old_size i32) (param $alignment i32) (param $new_size i32) (result i32)
    (local $end i32)
    (local.set $end (i32.shl (memory.size) (i32.const 16)))
    (block $usual
      (block $overwrite (block $overlap (block $leave (block $grow (block $trap (block $zero
      (block $old (block $far (block $end (block $misaligned
      (br_table $usual $misaligned $end $far $old $zero $trap $grow $leave $overlap $overwrite $usual
        (i32.load (i32.const %STRIKE%))))
      ;; misaligned
      (return (i32.add (i32.const 1) (call $usual
        (local.get $old) (local.get $old_size) (local.get $alignment) (local.get $new_size)))))
      ;; end
      (return (i32.add (i32.sub (local.get $end) (local.get $new_size)) (local.get $alignment))))
      ;; far
      (return (i32.const 0xfffffff8)))
      ;; old
      (return (local.get $old)))
      ;; zero
      (return (i32.const 0)))
      (unreachable))
      ;; grow
      (return (i32.shl (memory.grow (i32.const 1)) (i32.const 16))))
      ;; leave
      (drop (call $leave (i32.const 1))) (br $usual))
      ;; overlap
      (return (i32.const %PARAMS%)))
      ;; overwrite
      (memory.fill (i32.const %HEAP%) (i32.const %GARBAGE%)
        (i32.sub (i32.load (i32.const %TOP%)) (i32.const %HEAP%))))
    (call $usual (local.get $old) (local.get $old_size) (local.get $alignment) (local.get $new_size)))
  (func $usual
    (param $old i32) (param $old_size i32) (param $alignment i32) (param $new_size i32) (result i32)
    (local $at i32) (local $end i64) (local $pages i32)
    (if (i32.and (i32.eq (i32.load (i32.const %REALLOC_USUAL%)) (i32.const 1))
        (i32.and (i32.ne (local.get $old_size) (i32.const 0))
          (i32.le_u (local.get $new_size) (local.get $old_size))))
      (then (return (local.get $old))))
    (local.set $at (i32.and
      (i32.add (i32.load (i32.const %TOP%)) (i32.sub (local.get $alignment) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $alignment))))
    (local.set $end (i64.add
      (i64.extend_i32_u (local.get $at)) (i64.extend_i32_u (local.get $new_size))))
    (if (i64.gt_u (local.get $end) (i64.const %BYTES_MAX%)) (then (unreachable)))
    (local.set $pages (i32.wrap_i64
      (i64.shr_u (i64.add (local.get $end) (i64.const 65535)) (i64.const 16))))
    (if (i32.gt_u (local.get $pages) (memory.size))
      (then (drop (memory.grow (i32.sub (local.get $pages) (memory.size))))))
    (i32.store (i32.const %TOP%) (i32.wrap_i64 (local.get $end)))
    (if (local.get $old_size) (then
      (memory.copy (local.get $at) (local.get $old) (select
        (local.get $old_size) (local.get $new_size)
        (i32.lt_u (local.get $old_size) (local.get $new_size))))
      (memory.fill (local.get $old) (i32.const %GARBAGE%) (local.get $old_size))))
    (local.get $at))
  ;; What is poked lands at the very beginning of the memory.
  (func (export "poke-realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
  (func (export "poke") (param i32 i32))
  (func (export "dump") (param $from i32) (param $length i32) (result i32)
    (i32.store (i32.const %DUMP%) (local.get $from))
    (i32.store offset=4 (i32.const %DUMP%) (local.get $length))
    (i32.const %DUMP%))
)
