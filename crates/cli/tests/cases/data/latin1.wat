(module (func "ÿ"))
