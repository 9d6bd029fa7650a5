/* What the native halves of watcher.py and flash.py share. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define BLOCKS 16384U
#define RAM_PAGES 256U /* of 1 KB, Unicorn's */

/* A block of code, which is a stretch without branches, and what executing it
 * to its end takes. */
typedef struct {
    uint32_t address, size; /* bytes */
    uint32_t instructions, cycles;
    uint32_t branch;         /* cycles more when the next block is not the one that lies
                                behind it */
    uint8_t bases[4];        /* registers that must have whole words at its start; 0: none */
    uint32_t steady;         /* flag: it leaves whole words in them */
    const uint32_t *offsets; /* cycles from its start to the instruction at each halfword */
} block;

typedef struct {
    uint64_t instructions, cycles; /* of all blocks before `current`; waits up to this moment */
    uint64_t budget;               /* the number of instructions after which execution stops */
    block current;
    uint32_t stopped, fpu_on;   /* flags */
    uint32_t caught, caught_at; /* what the program did wrong, and the address it accessed */
    /* Where to look at stores: from the end of the variables to the lowest
     * address for the stack. */
    uint32_t stack_low, stack_end;
    uint32_t ram_base, ram_size; /* where to look at loads; 0 for nowhere */
    uint8_t *written;            /* for each byte of it whether it was written since power-on */
    uint8_t *ram;                /* its bytes, and where it begins */
    uint32_t ram_start;
    uint8_t executed[RAM_PAGES]; /* flags */
    /* Unicorn's functions, and what to do about a block that is not in the table:
     */
    void (*stop)(void *uc);
    int32_t (*read_register)(void *uc, int32_t number, void *value);
    int32_t (*write_register)(void *uc, int32_t number, const void *value);
    int32_t (*learn)(uint32_t address, uint32_t size);   /* true: stop before this block */
    int32_t (*suspect)(uint32_t address, uint32_t size); /* the same; a base has no whole words */
    block blocks[BLOCKS];
} watcher;

/* For every hook on what a load or store does. Unicorn has brought the registers up to date; and
 * forgets to take the state of an IT block back, so that instructions after it would be skipped. */
void leave_it_block(void *uc, const watcher *w);
