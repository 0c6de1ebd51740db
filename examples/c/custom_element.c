/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Elements that own something. The stack stores the struct itself; `drop` frees what it owns when the stack is destroyed
 * with elements in it. An element that is popped belongs to the caller: drop is not called for it. */
#include <conex/conex.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct message {
    char *text; /* from malloc */
    int priority;
};

static int dropped = 0;

static void drop_message(void *element, void *ctx) {
    struct message *m = element;
    (void)ctx;
    printf("dropped: %s\n", m->text);
    free(m->text);
    dropped++;
}

static struct message make(const char *text, int priority) {
    struct message m;
    m.text = malloc(strlen(text) + 1);
    if (m.text == NULL) exit(1);
    strcpy(m.text, text);
    m.priority = priority;
    return m;
}

int main(void) {
    conex_stack_options options = CONEX_STACK_OPTIONS_INIT;
    conex_stack *stack = NULL;
    struct message m;

    options.element.size = sizeof(struct message);
    options.element.align = sizeof(void *);
    options.element.drop = drop_message;
    if (conex_stack_new(&options, &stack) != CONEX_OK) return 1;

    m = make("first", 1);
    conex_stack_push(stack, &m); /* moved in: the stack owns the text now */
    m = make("second", 2);
    if (conex_stack_push(stack, &m) != CONEX_OK) free(m.text); /* on an error it is still ours */

    if (conex_stack_pop(stack, &m) == CONEX_OK) { /* moved out: ours again */
        printf("popped: %s, priority %d\n", m.text, m.priority);
        free(m.text);
    }

    conex_stack_destroy(stack); /* drops "first" */
    return dropped == 1 ? 0 : 1;
}
