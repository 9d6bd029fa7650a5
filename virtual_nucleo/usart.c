/* The bytes that go through USART2, in virtual time; usart.py is the other half.
 *
 * Unicorn calls usart_read and usart_write where a program loads and stores in the page of USART2.
 * They are C because a program looks at SR once or twice for each byte, and a test set of images
 * has eight million. Sections are those of RM0390. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* Offsets in the page, and bits of SR: section 25.6. */
#define OFFSET_SR 0x400U
#define OFFSET_DR 0x404U
#define FE (1U << 1)
#define NF (1U << 2)
#define ORE (1U << 3)
#define RXNE (1U << 5)
#define TC (1U << 6)
#define TXE (1U << 7)
#define READY (TXE | TC) /* nothing is being sent */

#define KEPT 4096U /* bytes from the program before usart.py takes them */

/* Virtual time in seconds: `Time` of watcher.py. */
typedef struct {
    double base, hz; /* the time at the cycle `mark`, and cycles a second since then */
    uint64_t mark;
    const uint64_t *cycles; /* where the watcher counts them */
} virtual_time;

/* What usart.py is called for. */
enum { IDLE, FULL, LOST, OVERWRITTEN, MUTE, GARBLED_SENT, GARBLED_RECEIVED };

typedef struct {
    virtual_time *time;
    double arrival, sent;     /* when the next byte is complete, and the last one is out */
    double due;               /* the earlier of the two, if either will come; else infinite */
    double host_frame, frame; /* seconds that a byte takes from the host, and from the program */
    /* How each byte arrives at another rate, and in the high byte the flags of SR; else NULL. */
    const uint16_t *from_host, *to_host;
    const uint8_t *incoming; /* on their way from the host */
    uint32_t waiting;        /* how many */
    uint32_t sr, received;   /* SR; the byte in DR */
    int32_t holding;         /* the byte that waits for the shift register; -1: none */
    uint32_t seen, repeats;  /* SR as read last, since DR was used, and how often */
    uint32_t polls, poll_limit;
    uint32_t clocked, receives, mute; /* flags: whether it works, as it is configured */
    uint32_t listens; /* flag: the program has looked for bytes since it can receive them */
    uint32_t kept;    /* how many in `outgoing` */
    uint8_t outgoing[KEPT];
    void (*tell)(uint32_t what);
    uint64_t (*read)(void *uc, uint64_t offset, uint32_t size, void *data);
    void (*write)(void *uc, uint64_t offset, uint32_t size, uint64_t value, void *data);
} usart;

double time_now(const virtual_time *t)
{
    return t->base + (double)(*t->cycles - t->mark) / t->hz;
}

void time_move_to(virtual_time *t, double moment)
{
    const double ahead = moment - time_now(t);
    t->base += ahead > 0.0 ? ahead : 0.0;
}

/* Work out again what will happen next. */
void usart_plan(usart *u)
{
    u->due = u->waiting > 0 && u->receives && u->listens ? u->arrival : INFINITY;
    if (!(u->sr & TC) && u->sent < u->due) {
        u->due = u->sent;
    }
}

/* A byte from the host is complete. There is room for one only (section 25.4.3, overrun error). */
static void arrive(usart *u)
{
    uint32_t byte = *u->incoming++;
    u->waiting--;
    u->arrival += u->host_frame;
    if (u->from_host) {
        byte = u->from_host[byte];
        u->tell(GARBLED_RECEIVED);
    }
    if (u->sr & RXNE) {
        u->sr |= ORE;
        u->tell(LOST);
    } else {
        u->received = byte & 0xFF;
        u->sr |= RXNE | byte >> 8;
    }
}

/* A byte moves to the shift register (section 25.4.2). */
static void shift(usart *u, uint32_t byte, double start)
{
    if (u->kept == KEPT) {
        u->tell(FULL);
    }
    u->outgoing[u->kept++] = (uint8_t)(u->to_host ? u->to_host[byte] : byte);
    u->sent = start + u->frame;
    if (u->to_host) {
        u->tell(GARBLED_SENT);
    }
}

/* A byte is out. The one in DR moves up, if there is one. */
static void leave(usart *u)
{
    if (u->holding < 0) {
        u->sr |= TC;
        return;
    }
    shift(u, (uint32_t)u->holding, u->sent);
    u->holding = -1;
    u->sr |= TXE;
}

static void happen(usart *u, double now)
{
    while (u->due <= now) {
        if (u->sr & TC || u->sent > u->due) {
            arrive(u);
        } else {
            leave(u);
        }
        usart_plan(u);
    }
}

static void move_to(usart *u, double moment)
{
    time_move_to(u->time, moment);
    happen(u, moment);
}

static double catch_up(usart *u)
{
    const double now = time_now(u->time);
    happen(u, now);
    return now;
}

/* Whether reading SR again can only mean to wait for its next change. A program may look several
 * times before it reads a byte, and once more than it needs while one is leaving. */
static bool waits(const usart *u)
{
    if (u->sr & RXNE) {
        return !(u->sr & TC) && u->repeats > 2;
    }
    const bool leaving = (u->sr & READY) == TXE;
    return !leaving || u->sr == u->seen;
}

/* The program waits: time moves on to its next byte, or it is the host's turn. */
static void wait(usart *u, double now)
{
    if (u->receives && !u->listens) {
        const double earliest = now + u->host_frame;
        u->listens = true;
        u->arrival = u->arrival > earliest ? u->arrival : earliest;
        usart_plan(u);
    }
    if (u->due < (double)INFINITY) {
        move_to(u, u->due);
    } else if (!(u->sr & RXNE) && ++u->polls >= u->poll_limit) {
        u->tell(IDLE);
    }
}

uint32_t usart_read_sr(usart *u)
{
    const double due = u->due, now = catch_up(u);
    if (now < due && waits(u)) {
        wait(u, now);
    }
    u->repeats = u->sr == u->seen ? u->repeats + 1 : 0;
    u->seen = u->sr;
    return u->sr;
}

/* This clears the errors that SR has shown before (section 25.6.1). */
uint32_t usart_read_dr(usart *u)
{
    catch_up(u);
    u->sr &= ~(RXNE | (u->seen & (FE | NF | ORE)));
    u->seen = u->polls = 0;
    return u->received;
}

void usart_write_dr(usart *u, uint32_t value)
{
    const double now = catch_up(u);
    const uint32_t byte = value & 0xFF;
    u->seen = u->polls = 0;
    if (u->mute) {
        u->tell(MUTE);
    } else if (u->sr & TC) {
        shift(u, byte, now);
        u->sr &= ~TC;
    } else {
        if (u->holding >= 0) {
            u->tell(OVERWRITTEN);
        }
        u->holding = (int32_t)byte;
        u->sr &= ~TXE;
    }
    usart_plan(u);
}

/* Time passes until everything that was written is on the line. */
void usart_drain(usart *u)
{
    while (!(u->sr & TC)) {
        move_to(u, u->sent);
    }
}

/* Whether an access is one to a register that works; usart.py and registers.py take the others. */
static bool is_plain(const usart *u, uint64_t offset, uint32_t size)
{
    return u->clocked && size > 1 && (offset == OFFSET_SR || offset == OFFSET_DR);
}

uint64_t usart_read(void *uc, uint64_t offset, uint32_t size, usart *u)
{
    if (!is_plain(u, offset, size)) {
        return u->read(uc, offset, size, u);
    }
    return offset == OFFSET_SR ? usart_read_sr(u) : usart_read_dr(u);
}

void usart_write(void *uc, uint64_t offset, uint32_t size, uint64_t value, usart *u)
{
    if (is_plain(u, offset, size) && offset == OFFSET_DR) {
        usart_write_dr(u, (uint32_t)value);
    } else {
        u->write(uc, offset, size, value, u);
    }
}
