#include "cli/board.h"

#include "base/log.h"
#include "base/width.h"
#include "train/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR = 20, LONGEST = 200, MOST_JOBS = 64 };

struct tc_board {
    bool terminal;
    int jobs, drawn;               /* lines for jobs; lines that stand on the terminal */
    double shown;                  /* when, in seconds */
    char line[MOST_JOBS][LONGEST]; /* of the jobs, as last told */
};

tc_status tc_board_create(tc_board **board, tc_error *error) {
    const tc_status status = tc_new(board, 1, sizeof **board, error);
    if (status != TC_OK) return status;
    (*board)->terminal = isatty(STDERR_FILENO) == 1;
    (*board)->shown = (*board)->terminal ? -INFINITY : tc_clock(); /* the first plain line comes after a pause */
    return TC_OK;
}

void tc_board_free(tc_board *board) {
    free(board);
}

void tc_board_time(double seconds, char *text, size_t size) {
    text[0] = '\0';
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e8) return;
    const long whole = lround(seconds);
    if (whole < 3600)
        snprintf(text, size, "%ld:%02ld left", whole / 60, whole % 60);
    else
        snprintf(text, size, "%ld:%02ld h left", whole / 3600, whole / 60 % 60);
}

static void append(char *text, const char *format, double value) {
    const size_t length = strlen(text);
    if (isfinite(value)) snprintf(text + length, LONGEST - length, format, value);
}

static void describe_job(const tc_progress *p, char text[LONGEST]) {
    char left[32];
    snprintf(text, LONGEST, "trial %lld/%lld  %s%s%.*s", (long long)p->trial, (long long)p->trials, p->phase,
             *p->label ? " " : "", (int)tc_width_fit(p->label, 60), p->label);
    append(text, " %3.0f %%", 100 * p->fraction);
    append(text, "  loss %.4g", p->loss);
    append(text, "  accuracy %.3f", p->accuracy);
    append(text, "  %.0f images/s", p->images_per_second);
    tc_board_time(p->fraction < 1 ? p->seconds_left : NAN, left, sizeof left);
    const size_t length = strlen(text);
    snprintf(text + length, LONGEST - length, "%s%s", *left ? "  " : "", left);
}

static void describe_study(const tc_standing *s, char text[LONGEST]) {
    char left[32];
    tc_board_time(s->seconds_left, left, sizeof left);
    snprintf(text, LONGEST, "%lld of %lld trials, %d of %d phases%s%s", (long long)s->trials_done, (long long)s->trials,
             s->done, s->phases, *left ? ", about " : "", left);
}

/* Columns of the terminal: a line that wraps could not be drawn over. */
static int width(void) {
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > BAR + 8 ? size.ws_col : 80;
}

static void draw_line(const char *text, double share, int columns) {
    fputs("\033[K", stderr);
    int room = columns - 1;
    if (isfinite(share)) {
        fputc('[', stderr);
        for (int i = 0; i < BAR; i++) fputs(share * BAR > i ? "█" : "·", stderr);
        fputs("] ", stderr);
        room -= BAR + 3;
    }
    fprintf(stderr, "%.*s\n", (int)tc_width_fit(text, room), text);
}

static void draw(tc_board *board, const tc_standing *standing) {
    char study[LONGEST];
    const int columns = width();
    if (board->drawn) fprintf(stderr, "\033[%dA\r", board->drawn);
    describe_study(standing, study);
    draw_line(study, (double)standing->done / fmax(standing->phases, 1), columns);
    for (int i = 0; i < board->jobs; i++) draw_line(board->line[i], NAN, columns);
    board->drawn = board->jobs + 1;
    fflush(stderr);
}

void tc_board_show(void *context, int worker, const tc_progress *progress, const tc_standing *standing) {
    tc_board *board = context;
    char study[LONGEST];
    if (tc_log_verbosity() == TC_QUIET) return;
    if (worker < MOST_JOBS) {
        describe_job(progress, board->line[worker]);
        if (worker >= board->jobs) board->jobs = worker + 1;
    }
    const double now = tc_clock(), pause = board->terminal ? 0.2 : 15;
    const bool verbose = tc_log_verbosity() == TC_VERBOSE && !board->terminal && progress->fraction >= 1;
    if (now - board->shown < pause && !verbose) return;
    board->shown = now;
    if (board->terminal) {
        draw(board, standing);
        return;
    }
    describe_study(standing, study);
    fprintf(stderr, "%s; %s\n", study, worker < MOST_JOBS ? board->line[worker] : "");
}

void tc_board_clear(tc_board *board) {
    if (board->drawn) fprintf(stderr, "\033[%dA\r\033[J", board->drawn);
    board->drawn = 0;
}
