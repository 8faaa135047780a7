// A component without any library: the world of shop.wit, with values as the canonical ABI lays them out.

#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))

struct text {
    const char *start;
    size_t length;
};

struct item {
    struct text name;
    uint32_t cents;
};

#define TEXT(literal) {literal, sizeof(literal) - 1}
static const struct item ITEMS[] = {
    {TEXT("tea"), 250},
    {TEXT("coffee"), 320},
    {TEXT("scone"), 275},
};
static const size_t COUNT = sizeof ITEMS / sizeof *ITEMS;

// What the caller passes lies here until the call is over.
static _Alignas(8) unsigned char arena[1 << 16];
static size_t used;

EXPORT("cabi_realloc")
void *allocate(void *old, size_t old_size, size_t align, size_t size) {
    (void)old, (void)old_size;
    size_t at = (used + align - 1) & ~(align - 1);
    if (at > sizeof arena || size > sizeof arena - at)
        __builtin_trap();
    used = at + size;
    return arena + at;
}

EXPORT("cabi_post_items") void after_items(const void *result) { (void)result, used = 0; }
EXPORT("cabi_post_price") void after_price(const void *result) { (void)result, used = 0; }
EXPORT("cabi_post_total") void after_total(const void *result) { (void)result, used = 0; }

static const struct item *find(struct text name) {
    for (size_t i = 0; i < COUNT; i++) {
        struct text other = ITEMS[i].name;
        if (other.length != name.length)
            continue;
        size_t same = 0;
        while (same < name.length && other.start[same] == name.start[same])
            same++;
        if (same == name.length)
            return &ITEMS[i];
    }
    return NULL;
}

struct items {
    const struct item *start;
    size_t length;
};

EXPORT("items") const struct items *items(void) {
    static struct items result;
    result = (struct items){ITEMS, COUNT};
    return &result;
}

struct price {
    uint8_t is_some;
    uint32_t cents;
};

EXPORT("price") const struct price *price(const char *name, size_t length) {
    static struct price result;
    const struct item *found = find((struct text){name, length});
    result = (struct price){found != NULL, found ? found->cents : 0};
    return &result;
}

struct line {
    struct text name;
    uint32_t count;
};

struct total {
    uint8_t is_error;
    union {
        uint32_t cents;
        struct text unknown;
    };
};

EXPORT("total") const struct total *total(const struct line *cart, size_t length) {
    static struct total result;
    result = (struct total){.is_error = 0, .cents = 0};
    for (size_t i = 0; i < length; i++) {
        const struct item *found = find(cart[i].name);
        if (!found) {
            result = (struct total){.is_error = 1, .unknown = cart[i].name};
            break;
        }
        result.cents += found->cents * cart[i].count;
    }
    return &result;
}
