(module binary "\00asm\01\00\00\00" "\01\80\80\80\80\80\00")
;; error: Malformed: invalid var_u32: integer representation too long (at offset 0xd)
