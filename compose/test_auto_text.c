/* The text made from a template's HTML, rendered: in each case the text part for one recipient's data. */
#include "auto_text.h"
#include "render.h"
#include "value.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct slice columns[] = {{"email", 5}, {"name", 4}, {"empty", 5}, {"Mother's name", 13}};
enum { COLUMNS = 4 };

/* name: Anna & Co; empty: nothing; Mother's name: Eva. */
static const struct {
    const char *html, *text;
} cases[] = {
    {"<p>Hi {{name}},</p><p>bye</p>", "Hi Anna & Co,\n\nbye\n"},
    {"<b>{{name}}</b> {{{name}}} {{&name}}", "Anna & Co Anna & Co Anna & Co\n"},
    {"a &lt;b&gt; &amp; c", "a <b> & c\n"},
    /* attributes */
    {"<a href=\"https://x.test/{{name}}\">go</a>", "go <https://x.test/Anna & Co>\n"},
    {"<a href='{{#if name}}https://a.test{{else}}https://b.test{{/if}}'>go</a>", "go <https://a.test>\n"},
    {"<a href={{name}}>{{name}}</a>", "Anna & Co\n"},
    {"<img src=x alt='{{name}}!'>", "Anna & Co!\n"},
    {"<p {{#if name}}class=a{{/if}} title='{{name}}>'>b</p>", "b\n"},
    {"<p title=\"{{lookup this \"name\"}}\">b</p>", "b\n"},
    /* what is not seen */
    {"a<!-- {{name}} {{#if empty}}x{{/if}} -->b", "ab\n"},
    {"a<!-- {{#if empty}} -->hidden<!-- {{else}} -->seen<!-- {{/if}} -->b", "aseenb\n"},
    {"<style>p{ {{name}} }</style><title>{{name}}</title><script>{{name}}</script>a", "a\n"},
    {"<div style='display:none'>{{#if name}}x{{/if}}</div>a", "a\n"},
    {"{{! <p> }}a{{!-- {{name}} --}}b{{!-- a -- }} c --}}d{{!-- x ---}}e", "abde\n"},
    /* blocks around elements */
    {"<p>a</p>{{#if name}}<p>yes</p>{{else}}<p>no</p>{{/if}}<p>b</p>", "a\n\nyes\n\nb\n"},
    {"<p>a</p>{{#if empty}}<p>yes</p>{{/if}}<p>b</p>", "a\n\nb\n"},
    {"<p>a</p>{{#unless empty}}<p>yes</p>{{/unless}}<p>b</p>", "a\n\nyes\n\nb\n"},
    {"{{#if empty}}1{{else if name}}2{{else}}3{{/if}}", "2\n"},
    {"{{^empty}}x{{^}}y{{/empty}}", "y\n"},
    /* white space */
    {"<p>a {{~name~}} b</p>", "aAnna & Cob\n"},
    {"<p>a {{~#if name~}} x {{~/if~}} b</p>", "axb\n"},
    {"<p>a{{~{name}~}}b</p>", "aAnna & Cob\n"},
    {"<p>a {{name}} b</p>", "a Anna & Co b\n"},
    /* backslashes and braces */
    {"<p>\\{{name}} x</p>", "{{name}} x\n"},
    {"<p>C:\\\\{{name}}</p>", "C:\\Anna & Co\n"},
    {"<p>C:\\<b>{{name}}</b></p>", "C:\\Anna & Co\n"},
    {"<p>&#123;&#123;name}} \\&#123;&#123;x}} &#123;&#123;&#123;&#123;</p>", "{{name}} \\{{x}} {{{{\n"},
    {"<p>{<b>{{name}}</b>}</p>", "{ Anna & Co}\n"},
    {"<p>{{{{name}}}}{{x}} y{{{{/name}}}}</p>", "{{x}} y\n"},
    {"<p>{{lookup this \"}}\"}}{{lookup this 'a\\'}}b'}}a</p>", "a\n"},
    {"<p>{{[Mother's name]}} {{Mother's name}}</p>", "Eva Eva\n"},
    /* partials */
    {"<p>a</p>{{> foot}}", "a\n\nAnna & Co\n\nKobe\n"},
    {"<p>a {{> word}} b</p>", "a Anna & Co! b\n"},
    {"{{#> frame}}<i>in</i>{{/frame}}", "[in]\n"},
    {"{{#*inline \"p\"}}<i>{{name}}</i>{{/inline}}<b>{{> p}}</b>", "Anna & Co\n"},
    /* not quite HTML */
    {"a < b {{name}} <", "a < b Anna & Co <\n"},
    {"a <{{name}}>", "a <Anna & Co>\n"},
    {"\xEE\x80\x80"
     "0"
     "\xEE\x80\x81"
     "{{name}}",
     "0Anna & Co\n"},
};

static const struct content_partial partials[] = {
    {{"foot", 4}, {"<p>{{name}}</p><p>Kobe</p>", 26}},
    {{"word", 4}, {"<b>{{name}}</b>!", 16}},
    {{"frame", 5}, {"<p>[{{> @partial-block}}]</p>", 29}},
};

static void render_with(const char *html, const struct slice *names, const struct slice *values, size_t count,
                        bool lenient, struct buf *out) {
    struct err err = {.text = ""};
    struct renderer r;
    struct content content = {.from = SLICE("a@b.test"),
                              .subject = SLICE("s"),
                              .html = slice_of(html),
                              .partials = partials,
                              .partial_count = sizeof partials / sizeof *partials,
                              .missing_empty = lenient};
    renderer_init(&r);
    struct template *t = template_compile(&content, names, count, &err);
    struct render_input in = {.to = SLICE("x@y.test"),
                              .values = values,
                              .value_count = count,
                              .message_id = SLICE("i@b.test"),
                              .date = 0};
    buf_reset(out);
    if (!t || render_part(&r, t, &in, RENDER_TEXT, out, &err)) {
        buf_reset(out);
        buf_put_text(out, err.text);
    }
    template_free(t);
    renderer_done(&r);
}

static unsigned compare(const char *html, const char *want, const struct buf *got) {
    if (slice_eq(buf_slice(got), slice_of(want))) return 0;
    print_error("%s\n  wanted: %s\n  got: %.*s\n", html, want, SLICE_ARG(buf_slice(got)));
    return 1;
}

static void test_cases(void **state) {
    (void)state;
    const struct slice values[COLUMNS] = {SLICE("x@y.test"), SLICE("Anna & Co"), SLICE(""), SLICE("Eva")};
    struct buf out;
    unsigned wrong = 0;
    buf_init(&out, 1 << 16);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        render_with(cases[i].html, columns, values, COLUMNS, true, &out);
        wrong += compare(cases[i].html, cases[i].text, &out);
    }
    buf_done(&out);
    assert_int_equal(wrong, 0);
}

/* Over {"items": [{"t": "Tea", "n": 2}, {"t": "Rice", "n": 1}], "none": []} */
static const struct {
    const char *html, *text;
} loops[] = {
    {"<ul>{{#each items}}<li>{{n}} {{t}}</li>{{/each}}</ul>end", "- 2 Tea\n- 1 Rice\n\nend\n"},
    {"<p>a</p><ul>{{#each items}}<li>{{t}}</li>{{/each}}</ul><p>b</p>", "a\n\n- Tea\n\n- Rice\n\nb\n"},
    {"<p>a</p><ul>\n  {{#each items}}\n  <li>{{t}}</li>\n  {{/each}}\n</ul>\n<p>b</p>",
     "a\n\n- Tea\n\n- Rice\n\nb\n"},
    {"<p>a</p><ul>{{#each none}}<li>{{t}}</li>{{/each}}</ul><p>b</p>", "a\n\nb\n"},
    {"<table><tr><th>What<th>How many</tr>{{#each items}}<tr><td>{{t}}<td>{{n}}</tr>{{/each}}</table>x",
     "What | How many\nTea | 2\nRice | 1\n\nx\n"},
    {"{{#each items}}<p>{{t}}</p>{{else}}<p>nothing</p>{{/each}}x", "Tea\nRice\n\nx\n"},
    {"{{#each none}}<p>{{t}}</p>{{else}}<p>nothing</p>{{/each}}x", "nothing\n\nx\n"},
    {"{{#each items as |i|}}{{i.t}}{{#unless @last}}, {{/unless}}{{/each}}.", "Tea, Rice.\n"},
    {"{{#each items}}{{t}}<br>{{/each}}x", "Tea\nRice\nx\n"},
    {"<ol>{{#each items}}<li>{{t}}</li>{{/each}}</ol>", "- Tea\n- Rice\n"},
};

/* Blank lines at the beginning are a matter of taste. (A block takes the line breaks before it along, so that
 * it leaves none behind when it is empty: a list's first item may have a free line before it, and then the
 * others have it too.) */
static void drop_front(struct buf *b) {
    size_t n = 0;
    while (n < b->len && b->at[n] == '\n')
        n++;
    buf_drop_front(b, n);
}

static void test_loops(void **state) {
    (void)state;
    const struct slice names[] = {SLICE(DATA_COLUMN)};
    struct buf tree, out;
    struct slice packed;
    struct err err = {.text = ""};
    unsigned wrong = 0;
    buf_init(&tree, 1 << 16), buf_init(&out, 1 << 16);
    if (value_put_json(
            SLICE("{\"items\": [{\"t\": \"Tea\", \"n\": 2}, {\"t\": \"Rice\", \"n\": 1}], \"none\": []}"),
            &tree, &err))
        fail_msg("%s", err.text);
    packed = buf_slice(&tree);
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
        render_with(loops[i].html, names, &packed, 1, false, &out);
        drop_front(&out);
        wrong += compare(loops[i].html, loops[i].text, &out);
    }
    buf_done(&tree), buf_done(&out);
    assert_int_equal(wrong, 0);
}

static const struct {
    const char *html, *error;
} refused[] = {
    {"<p>{{name</p>", "html, line 1"},
    {"<p>{{#if name}}x</p>", "html, line 1"},
    {"{{{{name}}}}<b>x</b>{{{{/name}}}}", "no text can be made from the html"},
    {"<div style='display:none'>{{#if name}}</div>x{{/if}}", "no text can be made from the html"},
};

static void test_refused(void **state) {
    (void)state;
    const struct slice values[COLUMNS] = {SLICE("x@y.test"), SLICE("Anna"), SLICE(""), SLICE("Eva")};
    struct buf out;
    buf_init(&out, 1 << 16);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        render_with(refused[i].html, columns, values, COLUMNS, false, &out);
        if (!slice_starts(buf_slice(&out), slice_of(refused[i].error)))
            fail_msg("%s: %.*s", refused[i].html, SLICE_ARG(buf_slice(&out)));
    }
    buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_loops),
                                       cmocka_unit_test(test_refused)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("auto_text", tests, NULL, NULL);
}
