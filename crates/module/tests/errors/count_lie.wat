(module binary "\00asm\01\00\00\00" "\01\05\ff\ff\ff\7f\60")
;; error: Malformed: unexpected end-of-file: section declares 268435455 entries, but has 1 bytes left for them (at offset 0xa)
