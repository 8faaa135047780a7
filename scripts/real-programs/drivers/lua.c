/* Runs one Lua script, with its arguments in `arg`, as the `lua` command does. */
#define DEFINE_SETJMP
#include <setjmp.h>

#include <stdio.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

/* What the library of Debian 12 lacks. */
FILE *tmpfile(void) { return NULL; }
char *tmpnam(char *name) { return (void)name, NULL; }
int system(const char *command) { return command ? -1 : 0; }

static int traceback(lua_State *L) {
    luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

int main(int argc, char **argv) {
    if (argc < 2) return fputs("usage: lua SCRIPT [ARGUMENT]...\n", stderr), 2;
    lua_State *L = luaL_newstate();
    if (L == NULL) return fputs("lua: not enough memory\n", stderr), 1;
    luaL_openlibs(L);
    lua_createtable(L, argc - 2, 1);
    for (int i = 1; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - 1);
    }
    lua_setglobal(L, "arg");
    lua_pushcfunction(L, traceback);
    int status = luaL_loadfile(L, argv[1]);
    if (status == LUA_OK) status = lua_pcall(L, 0, 0, 1);
    if (status != LUA_OK) fprintf(stderr, "lua: %s\n", lua_tostring(L, -1));
    lua_close(L);
    return status == LUA_OK ? 0 : 1;
}
