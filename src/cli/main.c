/* main.c — which subcommand is meant. */
#include "cli/cli.h"

#include "base/log.h"
#include "base/option.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", "run a study: train, poison, train again, evaluate, report", tc_cli_run},
    {"status", "how far a study is, from another terminal", tc_cli_status},
    {"report", "rebuild the report of a study from its results", tc_cli_report},
    {"train", "train one model and write its weights", tc_cli_train},
    {"craft", "craft one poison against given surrogates", tc_cli_craft},
    {"protect", "make a folder of images un-learnable, visibly changed as little as asked", tc_cli_protect},
    {"evaluate", "accuracy of given weights, and where the targets land", tc_cli_evaluate},
    {"data", "look at a dataset, fetch one, or write it for others, poisoned or not", tc_cli_data},
    {"derive", "loss, gradient and directional derivative to a file", tc_cli_derive},
    {"bench", "measure gradients, matching steps and Hessian-vector products", tc_cli_bench},
    {"list", "name the attacks, models, layers, datasets, losses or defenses", tc_cli_list},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int help(FILE *out) {
    fprintf(out, "Tocsin — how far poisoned training data can bend an image classifier\n\n"
                 "tocsin COMMAND …\n\n");
    for (int i = 0; i < COMMANDS; i++) fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\ntocsin COMMAND --help tells what a command takes; tocsin --version tells which program this is.\n");
    return 0;
}

static int unknown(const char *word) {
    const char *known[COMMANDS + 1] = {NULL};
    for (int i = 0; i < COMMANDS; i++) known[i] = commands[i].name;
    const char *near = tc_nearest(word, known);
    if (near)
        fprintf(stderr, "tocsin: '%s': unknown command; did you mean '%s'?\n", word, near);
    else
        fprintf(stderr, "tocsin: '%s': unknown command; see `tocsin --help`\n", word);
    return TC_INVALID;
}

static int dispatch(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "tocsin: command line: no command; see `tocsin --help`\n");
        return TC_INVALID;
    }
    const char *word = argv[1];
    if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help")) return help(stdout);
    if (!strcmp(word, "--version")) return printf("tocsin %s\n", TOCSIN_VERSION) < 0;
    for (int i = 0; i < COMMANDS; i++)
        if (!strcmp(commands[i].name, word)) return commands[i].run(argc - 1, argv + 1);
    return unknown(word);
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN); /* a reader that has gone, and a file size limit, shall be errors like any other */
    signal(SIGXFSZ, SIG_IGN);
    tc_log_set(TC_NORMAL);
    const int status = dispatch(argc, argv);
    if ((fflush(stdout) || ferror(stdout)) && status == 0) {
        fprintf(stderr, "tocsin: standard output: %s\n",
                errno == EPIPE ? "nobody reads on; let the reader take it all"
                               : "cannot be written; free space on the disk");
        return TC_FAILED;
    }
    return status;
}
