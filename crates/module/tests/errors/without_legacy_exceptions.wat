(module (func $f try catch_all end))
;; error: Unsupported(Some(legacy_exceptions)): legacy_exceptions feature required for try instruction (at offset 0x17, in function `f`)
;;        help: enable with `--wasm legacy-exceptions`
