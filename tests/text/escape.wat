(module (data "\0g"))
