(module (memory 65537))
;; error: Invalid: memory size must be at most 0x10000 65536-byte pages (at offset 0xb)
