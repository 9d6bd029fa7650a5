/* How long the core waits for the flash of an STM32F4; flash.py is the other half, and states what
 * is assumed.
 *
 * Unicorn calls flash_fetch before each instruction and flash_access at each load and store, while
 * flash.py has asked for it. What they find to wait is added to the watcher's cycles. */
#include "watcher.h"

#include <stddef.h>

#define LINE 16U       /* bytes: the flash gives 128 bits at a read */
#define MOST_LINES 64U /* of a cache */
#define NONE UINT32_MAX
#define ALIAS 0U       /* where the flash appears a second time */
#define UC_MEM_READ 16 /* unicorn/unicorn.h */

/* Lines that were read, and when each was used last; 0 for never. */
typedef struct {
    uint32_t count, enabled;
    uint32_t line[MOST_LINES];
    uint64_t used[MOST_LINES];
} cache;

typedef struct {
    watcher *watcher;
    uint32_t base, size; /* of the flash, in bytes */
    uint32_t wait_states, prefetch;
    cache instructions, data;
    uint64_t waits;      /* cycles that the core has waited so far */
    uint64_t uses;       /* the clock of the caches' order */
    uint64_t free;       /* the cycle from which on the flash can read */
    uint64_t ahead_from; /* the cycle in which the prefetch begins or has begun to
                            read */
    uint32_t current;    /* the line that instructions come from */
    uint32_t ahead;      /* the line in the prefetch buffer, or on its way there */
    uint32_t offset;     /* cycles from the start of the block to the running
                            instruction */
    uint32_t words;      /* that this instruction has loaded or stored */
} flash;

static bool find(const flash *f, cache *c, uint32_t line, bool use)
{
    for (uint32_t i = 0; c->enabled && i < c->count; i++) {
        if (c->used[i] != 0 && c->line[i] == line) {
            c->used[i] = use ? f->uses : c->used[i];
            return true;
        }
    }
    return false;
}

/* In the place of the line that was not used for the longest time. */
static void keep(const flash *f, cache *c, uint32_t line)
{
    uint32_t oldest = 0;
    for (uint32_t i = 1; i < c->count; i++) {
        oldest = c->used[i] < c->used[oldest] ? i : oldest;
    }
    c->line[oldest] = line;
    c->used[oldest] = f->uses;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* A prefetch that has begun before this cycle is read to its end. */
static void finish_prefetch(flash *f, uint64_t now)
{
    if (f->ahead != NONE && f->ahead_from < now) {
        f->free = later(f->free, f->ahead_from + f->wait_states + 1);
    }
}

/* Read a line that is wanted in this cycle; a prefetch that has not begun gives way. Returns the
 * cycles to wait for it. */
static uint64_t read_line(flash *f, uint64_t now)
{
    finish_prefetch(f, now);
    const uint64_t start = later(now, f->free);
    f->free = start + f->wait_states + 1;
    f->ahead_from = f->ahead_from < now ? f->ahead_from : later(f->ahead_from, f->free);
    return start + f->wait_states - now;
}

/* From the cycle after this one on, unless the next line is known already. */
static void prefetch_behind(flash *f, uint32_t line, uint64_t now)
{
    const uint32_t next = line + 1;
    if (f->ahead == next) {
        return;
    }
    finish_prefetch(f, now);
    const bool wanted = f->prefetch && !find(f, &f->instructions, next, false);
    f->ahead = wanted ? next : NONE;
    f->ahead_from = later(now + 1, f->free);
}

/* The cycles until the line with an instruction is there. */
static uint64_t fetch(flash *f, uint32_t line, uint64_t now)
{
    uint64_t wait = 0;
    if (line == f->current) {
        return 0;
    }
    f->uses++;
    if (line == f->ahead) {
        const uint64_t there = f->ahead_from + f->wait_states;
        f->free = later(f->free, there + 1);
        f->ahead = NONE;
        wait = there > now ? there - now : 0;
    } else if (!find(f, &f->instructions, line, true)) {
        wait = read_line(f, now);
    }
    if (wait > 0) { /* a miss: it was in neither buffer, nor in the cache */
        keep(f, &f->instructions, line);
    }
    f->current = line;
    prefetch_behind(f, line, now + wait);
    return wait;
}

/* The same for a line with data. */
static uint64_t load(flash *f, uint32_t line, uint64_t now)
{
    f->uses++;
    if (find(f, &f->data, line, true)) {
        return 0;
    }
    keep(f, &f->data, line);
    return read_line(f, now);
}

/* The number of the first line of an access, counted from the start of the flash. */
static uint32_t line_of(const flash *f, uint64_t address)
{
    const uint64_t start = address < f->size ? ALIAS : f->base;
    return address - start < f->size ? (uint32_t)(address - start) / LINE : NONE;
}

/* Wait for the line with the bytes at an address; a second line is wanted `next` cycles later. */
static void wait_for(flash *f, uint64_t address, uint32_t size, uint64_t now, uint32_t next,
                     uint64_t (*get)(flash *f, uint32_t line, uint64_t now))
{
    const uint32_t first = line_of(f, address), last = line_of(f, address + size - 1);
    for (uint32_t line = first; line != NONE && line <= last && f->wait_states > 0; line++) {
        const uint64_t wait = get(f, line, now);
        now += wait + next;
        f->watcher->cycles += wait;
        f->waits += wait;
    }
}

void flash_fetch(void *uc, uint64_t address, uint32_t size, flash *f)
{
    (void)uc;
    const block *b = &f->watcher->current;
    f->offset = b->offsets == NULL ? 0 : b->offsets[((uint32_t)address - b->address) / 2];
    f->words = 0;
    wait_for(f, address, size, f->watcher->cycles + f->offset, 0, fetch);
}

/* Cycles more for an access that the core makes in parts: Cortex-M4 TRM section 3.3.2. */
static uint32_t parts(uint64_t address, uint32_t size)
{
    if (size < 2 || address % size == 0) {
        return 0;
    }
    return size == 2 || address % 2 == 0 ? 1 : 2;
}

/* Data comes in the cycle after its instruction has begun, and further words in those after it. */
void flash_access(void *uc, int32_t kind, uint64_t address, int32_t size, int64_t value, flash *f)
{
    (void)value;
    leave_it_block(uc, f->watcher);
    f->words++;
    if (kind == UC_MEM_READ) {
        const uint64_t now = f->watcher->cycles + f->offset + f->words;
        wait_for(f, address, (uint32_t)size, now, 1, load);
    }
    f->watcher->cycles += parts(address, (uint32_t)size);
}
