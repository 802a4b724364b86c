/* random.h — counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011).
 *
 * A stream is a key and a position, not a state that threads fight over: element i of a stream is the same whoever
 * computes it, so results depend neither on the number of threads nor on the order of work. Streams are made from the
 * seed by name: tc_stream_child(parent, "dropout", step). */
#ifndef TC_BASE_RANDOM_H
#define TC_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct tc_stream {
    uint64_t key;
    uint64_t position; /* the next draw's index; only tc_draw_* advance it */
} tc_stream;

/* Four independent 32-bit words: block `counter` of stream `key`. */
void tc_philox(uint64_t key, uint64_t counter_low, uint64_t counter_high, uint32_t out[4]);

tc_stream tc_stream_make(uint64_t seed);
/* An independent stream named by purpose and number, e.g. ("epoch", 3); does not disturb the parent. */
tc_stream tc_stream_child(tc_stream parent, const char *purpose, uint64_t number);

/* Random access: element `index` of the stream, any order, any thread. */
uint64_t tc_bits_at(tc_stream stream, uint64_t index);
double tc_uniform_at(tc_stream stream, uint64_t index); /* [0, 1) */
double tc_normal_at(tc_stream stream, uint64_t index);  /* mean 0, variance 1 */

/* Sequential draws. */
uint64_t tc_draw_bits(tc_stream *stream);
double tc_draw_uniform(tc_stream *stream);
double tc_draw_normal(tc_stream *stream);
uint64_t tc_draw_below(tc_stream *stream, uint64_t bound); /* uniform on 0 … bound−1, unbiased; bound ≥ 1 */
void tc_draw_permutation(tc_stream *stream, uint32_t *order, size_t count); /* order := a shuffle of 0 … count−1 */

#endif
