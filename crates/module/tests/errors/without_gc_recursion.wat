;; features: -gc
(module (type $f (func (param (ref null $f)))))
;; error: Unsupported(Some(gc)): unknown type 0: type index out of bounds because the GC proposal is disabled (at offset 0xb)
;;        help: enable with `--wasm gc`
