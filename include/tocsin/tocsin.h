/* tocsin.h — libtocsin: data poisoning of image classifiers, measured.
 *
 *     dataset ─ surrogate (train) ─ craft → poison ─ dataset + poison ─ victim (train) ─ evaluate
 *
 * One handle for each noun: tocsin_device computes, tocsin_dataset holds 8-bit images, tocsin_model is a network with
 * its weights, tocsin_threat says who is attacked and what may be changed, tocsin_poison is what the attacker changed.
 * docs/library.md walks through a whole program, examples/c/poison.c.
 *
 * Everywhere
 *   errors     A function that can fail returns a tocsin_status and takes a tocsin_error last (status.h). A NULL where
 *              something is needed, a name that is not known and a size that does not fit are TOCSIN_INVALID, never a
 *              crash. What a pointer argument `…**result` points to is NULL after a failure; nothing else has changed.
 *   settings   "NAME=VALUE" texts, the last one NULL; NULL for no settings. Names, ranges, units and defaults are those
 *              of the specs and of the program; catalogue.h lists them. A later setting wins over an earlier one.
 *   images     8-bit, [count][height][width][channels], rows from the top; labels are 0 … classes − 1.
 *   seeds      Same seed, same settings, same device, same number of threads: same result. Each function takes its own
 *              stream of random numbers from the seed, so one seed may serve them all.
 *   ownership  What the library makes is freed by its …_close or …_free, which take NULL. Pointers that accessors
 *              return belong to the handle and live as long as it does. What the caller hands in is copied, unless it
 *              is a handle: a handle that another one was made from must outlive it only where the header says so.
 *   threads    A device, and whatever computes on it, belongs to one thread at a time; so does a handle that is being
 *              changed. Handles that are only read may be shared.
 *   printing   The library prints nothing. */
#ifndef TOCSIN_TOCSIN_H
#define TOCSIN_TOCSIN_H

#include "tocsin/attack.h"
#include "tocsin/catalogue.h"
#include "tocsin/dataset.h"
#include "tocsin/defence.h"
#include "tocsin/derive.h"
#include "tocsin/device.h"
#include "tocsin/evaluate.h"
#include "tocsin/hooks.h"
#include "tocsin/model.h"
#include "tocsin/poison.h"
#include "tocsin/status.h"
#include "tocsin/study.h"
#include "tocsin/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of the library that is running, "0.1.0". Its soname changes with what is incompatible. */
TOCSIN_API const char *tocsin_version(void);

#ifdef __cplusplus
}
#endif
#endif
