/* Which column of a list holds the address. */
#include "csv.h"

ptrdiff_t csv_find_column(const struct slice *names, size_t count, struct slice wanted) {
    for (size_t i = 0; i < count; i++)
        if (slice_eq_nocase(names[i], wanted)) return (ptrdiff_t)i;
    return -1;
}

ptrdiff_t csv_usual_column(const struct slice *names, size_t count) {
    /* The surest first: "address" may well be a street's. */
    static const char *const usual[] = {
        "email",    "e-mail",       "email address",   "e-mail address", "email_address", "emailaddress",
        "mail",     "mail address", "mail_address",    "mailaddress",    "e_mail",        "メールアドレス",
        "メルアド", "eメール",      "Eメールアドレス", "電子メール",     "メール",        "recipient",
        "to",       "address",      "アドレス",
    };
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        ptrdiff_t at = csv_find_column(names, count, slice_of(usual[i]));
        if (at >= 0) return at;
    }
    return -1;
}

ptrdiff_t csv_address_column(const struct slice *names, size_t count, struct slice wanted, struct err *err) {
    ptrdiff_t at = wanted.len ? csv_find_column(names, count, wanted) : csv_usual_column(names, count);
    if (at >= 0) return at;
    char list[320];
    size_t n = 0;
    for (size_t i = 0; i < count && n + names[i].len + 3 < sizeof list; i++) {
        if (n) list[n++] = ',', list[n++] = ' ';
        memcpy(list + n, names[i].at, names[i].len);
        n += names[i].len;
    }
    if (wanted.len)
        return err_set(err, ERR_INPUT, "line 1: no column is called '%.*s'; there are: %.*s",
                       SLICE_ARG(wanted), (int)n, list);
    return err_set(err, ERR_INPUT,
                   "line 1: no column looks like the address (email, mail, address...); there are: %.*s",
                   (int)n, list);
}
