;; features: -gc
(module (type (struct (field i32))))
;; error: Unsupported(Some(gc)): struct indexed types not supported without the gc feature (at offset 0xb)
;;        help: enable with `--wasm gc`
