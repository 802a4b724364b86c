/* board.h — how far a study is, on standard error. On a terminal one line for the study and one for each job, drawn
 * over; elsewhere plain lines, a few a minute. */
#ifndef TC_CLI_BOARD_H
#define TC_CLI_BOARD_H

#include "experiment/run/study_run.h"

typedef struct tc_board tc_board;

tc_status tc_board_create(tc_board **board, tc_error *error);
void tc_board_free(tc_board *board);
/* A tc_study_hooks.progress; context: the board. */
void tc_board_show(void *context, int worker, const tc_progress *progress, const tc_standing *standing);
/* Wipes the lines, so that others can write. */
void tc_board_clear(tc_board *board);

/* "3:07 left", "2:05 h left"; "" where it is not known. */
void tc_board_time(double seconds, char *text, size_t size);

#endif
