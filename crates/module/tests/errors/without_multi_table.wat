;; features: mvp
(module (table 1 funcref) (table 1 funcref))
;; error: Unsupported(Some(reference_types)): multiple tables (at offset 0xa)
;;        help: enable with `--wasm reference-types`
