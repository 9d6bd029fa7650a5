/* What the virtual chip looks at while Unicorn executes; watcher.py is the other half.
 *
 * Unicorn calls these functions: watcher_block at the start of each block of code, which is a
 * stretch without branches, and the others where watcher.py asked for it. They are C because some
 * of them run a hundred million times a second. */
#include "watcher.h"

#include <string.h>

#define PERIPHERALS 0x40000000U
#define PUSHED_AT_MOST 128U /* bytes that one instruction puts below the stack pointer */
#define UC_ARM_REG_SP 12    /* unicorn/arm.h */
#define UC_ARM_REG_XPSR 120 /* there, too */
#define UC_MEM_WRITE 17     /* unicorn/unicorn.h */
#define UC_MEM_FETCH 18
#define UC_MEM_WRITE_PROT 22
#define UC_PROT_READ 1
#define UC_PROT_WRITE 2
#define UC_PROT_EXEC 4
#define IT_BITS 0x0600FC00U /* in xPSR: ARMv7-M ARM section B1.4.2 */

enum { UNALIGNED = 1, FPU_OFF, OVERFLOW, UNWRITTEN }; /* what may be caught */

/* An instruction that must not be executed in a certain state. */
typedef struct {
    watcher *watcher;
    int32_t base; /* the register that must have an address of whole words; -1: the FPU is needed */
} guard;

typedef struct {
    uint64_t address;
    int32_t allowed;
} translation; /* uc_tlb_entry */

static void stop(void *uc, watcher *w)
{
    w->stopped = true;
    w->stop(uc);
}

static void stop_for(void *uc, watcher *w, uint32_t what, uint64_t address)
{
    w->caught = what;
    w->caught_at = (uint32_t)address;
    stop(uc, w);
}

/* Whether a register that the block needs whole words in has none. */
static bool is_suspect(void *uc, const watcher *w, const block *b)
{
    for (uint32_t i = 0; i < sizeof b->bases && b->bases[i] != 0; i++) {
        uint32_t base = 0;
        w->read_register(uc, b->bases[i], &base);
        if (base % 4 != 0) {
            return true;
        }
    }
    return false;
}

void watcher_block(void *uc, uint64_t start, uint32_t size, watcher *w)
{
    const uint32_t address = (uint32_t)start;
    const block *before = &w->current;
    w->instructions += before->instructions;
    w->cycles += before->cycles;
    if (address != before->address + before->size) {
        w->cycles += before->branch;
    }
    const block *b = &w->blocks[address / 2 % BLOCKS];
    const bool known = b->address == address && b->size == size;
    const bool again = before->address == address && before->size == size && before->steady;
    bool halt = (!known && w->learn(address, size)) || w->instructions > w->budget;
    if (!again && is_suspect(uc, w, b)) {
        halt |= w->suspect(address, size) != 0;
    }
    if (halt) {
        stop(uc, w);
    }
    w->current = *b;
}

void watcher_guard(void *uc, uint64_t address, uint32_t size, guard *g)
{
    (void)size;
    watcher *w = g->watcher;
    uint32_t base = 0;
    if (g->base < 0) {
        if (!w->fpu_on) {
            stop_for(uc, w, FPU_OFF, address);
        }
        return;
    }
    w->read_register(uc, g->base, &base);
    if (base % 4 != 0) {
        stop_for(uc, w, UNALIGNED, base);
    }
}

void leave_it_block(void *uc, const watcher *w)
{
    uint32_t status = 0;
    w->read_register(uc, UC_ARM_REG_XPSR, &status);
    if (status & IT_BITS) {
        status &= ~IT_BITS;
        w->write_register(uc, UC_ARM_REG_XPSR, &status);
    }
}

static void watch_stack(void *uc, watcher *w, uint64_t address)
{
    uint32_t sp = 0;
    if (address >= w->stack_low && address < w->stack_end) {
        w->read_register(uc, UC_ARM_REG_SP, &sp);
        if (sp < w->stack_end + PUSHED_AT_MOST) { /* the stack has grown so far */
            stop_for(uc, w, OVERFLOW, address);
        }
    }
}

/* Where loads of what was never stored are refused, any access to the RAM. */
void watcher_memory(void *uc, int32_t kind, uint64_t address, int32_t size, int64_t value,
                    watcher *w)
{
    (void)value;
    leave_it_block(uc, w);
    uint8_t *bytes = w->written + (address - w->ram_base);
    if (kind != UC_MEM_WRITE && memchr(bytes, 0, (size_t)size) != NULL) {
        stop_for(uc, w, UNWRITTEN, address);
    }
    memset(bytes, 1, (size_t)size);
}

/* Unicorn asks what may be done at an address that it has not met. Stores are fast to pages from
 * which nothing is executed; to the others each looks for code that it changes. */
bool watcher_translate(void *uc, uint64_t address, int32_t kind, translation *result, watcher *w)
{
    const uint64_t page = (address - w->ram_start) / 1024;
    const bool in_ram = page < RAM_PAGES, fetch = kind == UC_MEM_FETCH;
    if (!fetch) {
        leave_it_block(uc, w);
    }
    result->address = address;
    result->allowed = UC_PROT_READ | UC_PROT_WRITE;
    if (fetch || (in_ram && w->executed[page])) {
        result->allowed |= UC_PROT_EXEC;
    }
    if (fetch && in_ram) {
        w->executed[page] = true;
    }
    return true;
}

/* An access to a page that is protected, so that Unicorn asks here first: a peripheral, or the RAM
 * right above the variables, to which it then stores nothing itself. Hooks on any loads or stores
 * would make it slow at all of them. PC is exact during the access. */
bool watcher_protected(void *uc, int32_t kind, uint64_t address, int32_t size, int64_t value,
                       watcher *w)
{
    leave_it_block(uc, w);
    if (kind == UC_MEM_WRITE_PROT && address < PERIPHERALS) {
        watch_stack(uc, w, address);
        memcpy(w->ram + (address - w->ram_start), &value, (size_t)size);
    }
    return true;
}
