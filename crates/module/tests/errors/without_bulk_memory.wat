;; features: mvp
(module (memory 1) (data "x") (func $f (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 1))))
;; error: Unsupported(Some(bulk_memory)): data count section requires the bulk-memory proposal (at offset 0x19)
;;        help: enable with `--wasm bulk-memory`
