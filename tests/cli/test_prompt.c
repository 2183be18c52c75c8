/* tests/cli/test_prompt.c - the prompt as it is typed at: PROGRAM without arguments on a pseudo terminal of its own,
 * with an empty home. */
#include "support/t.h"
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { MOST = 1 << 16, PATIENCE = 30000 /* ms: under a sanitizer, on a busy machine */ };

#ifndef PROGRAM
#define PROGRAM "build/lop"
#endif
#define KEY(letter) (char[]){(letter) - '@', '\0'}

typedef struct {
    pid_t pid;
    int terminal;
    char home[64], text[MOST];          /* what it has written, NUL at the end */
    bool edits;                         /* built with libedit: with history and completion */
    size_t length, seen;                /* seen: what was expected already ends there */
} prompt;

/* Whether it was built with libedit. */
static bool has_libedit(void)
{
    return system("echo 'assert(require(\"lop.core\").edit.completer)' | " PROGRAM " >/dev/null 2>&1") == 0;
}

static void start(prompt *p)
{
    p->length = p->seen = 0;
    p->text[0] = '\0';
    struct winsize size = {.ws_row = 24, .ws_col = 100};
    p->pid = forkpty(&p->terminal, NULL, NULL, &size);
    if (p->pid < 0) {                   /* a container without /dev/pts */
        rmdir(p->home);
        print_message("skipped: the prompt: no pseudo terminal is to be had here: %s\n", strerror(errno));
        skip();
    }
    if (p->pid > 0) return;
    setenv("HOME", p->home, 1);
    setenv("TERM", "dumb", 1);
    unsetenv("XDG_STATE_HOME");
    execl(PROGRAM, "lop", (char *)NULL);
    _exit(127);
}

/* Whether there was more to read, within so many ms. */
static bool more(prompt *p, int ms)
{
    struct pollfd ready = {.fd = p->terminal, .events = POLLIN};
    if (p->length == MOST - 1 || poll(&ready, 1, ms) <= 0) return false;
    const ssize_t n = read(p->terminal, p->text + p->length, MOST - 1 - p->length);
    if (n <= 0) return false;
    p->length += (size_t)n;
    p->text[p->length] = '\0';
    return true;
}

/* Waits until it writes this, behind what was expected before. */
static void expect(prompt *p, const char *text)
{
    const char *found;
    while (!(found = strstr(p->text + p->seen, text)))
        if (!more(p, PATIENCE)) fail_msg("'%s' expected after:\n%s", text, p->text);
    p->seen = (size_t)(found - p->text) + strlen(text);
}

static void send_key(prompt *p, char key)
{
    assert_int_equal(write(p->terminal, &key, 1), 1);
}

/* Types a line at the prompt, once keys go to it: it is shown a little before the terminal is set for that. */
static void type(prompt *p, const char *text)
{
    struct termios set = {.c_lflag = ICANON};
    for (int turn = 0; p->edits && turn < PATIENCE / 10; turn++) {
        if (tcgetattr(p->terminal, &set) == 0 && !(set.c_lflag & ICANON)) break;
        more(p, 10);
    }
    assert_int_equal(write(p->terminal, text, strlen(text)), (ssize_t)strlen(text));
}

/* Ends it by Ctrl-D, and returns its exit status. */
static int leave(prompt *p)
{
    int status = 0;
    type(p, KEY('D'));
    while (more(p, PATIENCE)) continue;
    close(p->terminal);
    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void open_prompt(prompt *p)
{
    snprintf(p->home, sizeof p->home, "/tmp/lop-prompt-XXXXXX");
    assert_non_null(mkdtemp(p->home));
    p->edits = has_libedit();
    start(p);
    expect(p, "Ctrl-D ends.\r\n");
    expect(p, "> ");
}

static void close_prompt(prompt *p)
{
    char history[96];
    assert_int_equal(leave(p), 0);
    snprintf(history, sizeof history, "%s/.lop_history", p->home);
    if (unlink(history) != 0) assert_int_equal(errno, ENOENT);
    assert_int_equal(rmdir(p->home), 0);
}

T_TEST(values_are_printed)
{
    prompt p;
    open_prompt(&p);
    static const char *const cases[][2] = {
        {"40 + 2\r", "42\r\n> "}, {"{1, 'x', b = true}\r", "{1, \"x\", b = true}\r\n> "},
        {"= #'four'\r", "4\r\n> "}, {"for i = 1, 2 do\r", ">> "}, {"print(i * 100) end\r", "100\r\n200\r\n> "}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        type(&p, cases[k][0]);
        expect(&p, cases[k][1]);
    }
    close_prompt(&p);
}

T_TEST(an_error_is_one_line_and_ends_nothing)
{
    prompt p;
    open_prompt(&p);
    static const char *const cases[][2] = {
        {"error 'boom'\r", "error 'boom'\r\nstdin:1: boom\r\n> "},
        {"x y\r", "x y\r\nstdin:1: "}, {"lop.load 'none.onnx'\r", "none.onnx: no such file\r\n> "},
        {"40 + 2\r", "42\r\n> "}};
    for (size_t k = 0; k < T_COUNT(cases); k++) {
        type(&p, cases[k][0]);
        expect(&p, cases[k][1]);
    }
    assert_null(strstr(p.text, "traceback"));
    close_prompt(&p);
}

T_TEST(tab_completes_globals_fields_and_methods)
{
    prompt p;
    open_prompt(&p);
    if (p.edits) {
        type(&p, "tostr\t(77)\r");
        expect(&p, "tostring(77)\r\n77\r\n> ");
        type(&p, "lop.load_n\t\t");
        expect(&p, "lop.load_npy");
        expect(&p, "lop.load_npz");
        type(&p, KEY('U'));
        type(&p, "t = lop.zeros {3, 5}\r");
        expect(&p, "> ");
        type(&p, "t:siz\t()\r");
        expect(&p, "t:size()\r\n15\r\n> ");
        close_prompt(&p);
    } else {
        close_prompt(&p);
        skip();
    }
}

T_TEST(history_outlives_the_session)
{
    prompt p;
    open_prompt(&p);
    if (p.edits) {
        type(&p, "6 * 7\r");
        expect(&p, "42\r\n> ");
        type(&p, KEY('P'));
        type(&p, "00\r");
        expect(&p, "4200\r\n> ");
        assert_int_equal(leave(&p), 0);
        start(&p);
        expect(&p, "Ctrl-D ends.\r\n");
        expect(&p, "> ");
        type(&p, KEY('P'));
        type(&p, KEY('P'));
        type(&p, " + 1\r");
        expect(&p, "43\r\n> ");
        close_prompt(&p);
    } else {
        close_prompt(&p);
        skip();
    }
}

T_TEST(ctrl_c_ends_a_loop_or_drops_a_line)
{
    prompt p;
    open_prompt(&p);
    for (int turn = 0; turn < 2; turn++) {
        type(&p, "print('run' .. 'ning') while true do end\r");
        expect(&p, "running\r\n");
        send_key(&p, KEY('C')[0]);
        expect(&p, "interrupted\r\n> ");
    }
    type(&p, "nonsense(");
    expect(&p, "nonsense(");
    more(&p, 200);                      /* a person's pause: the last letter is shown before the next is waited for */
    send_key(&p, KEY('C')[0]);
    expect(&p, "> ");
    type(&p, "40 + 2\r");
    expect(&p, "42\r\n> ");
    close_prompt(&p);
}

T_MAIN(T(values_are_printed), T(an_error_is_one_line_and_ends_nothing), T(tab_completes_globals_fields_and_methods),
       T(history_outlives_the_session), T(ctrl_c_ends_a_loop_or_drops_a_line))
