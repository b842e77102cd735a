/* The session's words, for logs and reports. */
#include "smtp_client.h"

const char *smtp_stage_name(enum smtp_stage stage) {
    switch (stage) {
    case SMTP_STAGE_NONE: break;
    case SMTP_STAGE_CONNECT: return "connect";
    case SMTP_STAGE_GREETING: return "greeting";
    case SMTP_STAGE_EHLO: return "EHLO";
    case SMTP_STAGE_STARTTLS: return "STARTTLS";
    case SMTP_STAGE_TLS: return "TLS handshake";
    case SMTP_STAGE_MAIL: return "MAIL";
    case SMTP_STAGE_RCPT: return "RCPT";
    case SMTP_STAGE_DATA: return "DATA";
    case SMTP_STAGE_DOT: return "end of data";
    case SMTP_STAGE_RSET: return "RSET";
    case SMTP_STAGE_QUIT: return "QUIT";
    case SMTP_STAGE_BDAT: return "BDAT";
    }
    return "?";
}

const char *smtp_result_name(enum smtp_result result) {
    switch (result) {
    case SMTP_DELIVERED: return "delivered";
    case SMTP_REFUSED: return "refused";
    case SMTP_UNCERTAIN: return "uncertain";
    case SMTP_NOT_SENT: return "not sent";
    }
    return "?";
}

const char *smtp_why_name(enum smtp_why why) {
    switch (why) {
    case SMTP_WHY_NONE: return "answered";
    case SMTP_WHY_DONE: return "done";
    case SMTP_WHY_LOST: return "connection lost";
    case SMTP_WHY_TIMEOUT: return "timed out";
    case SMTP_WHY_REFUSED: return "session refused";
    case SMTP_WHY_CLOSING: return "server closing";
    case SMTP_WHY_PROTOCOL: return "protocol error";
    case SMTP_WHY_TLS_MISSING: return "TLS not offered";
    case SMTP_WHY_TLS_FAILED: return "TLS failed";
    case SMTP_WHY_CONTENT: return "content failed";
    case SMTP_WHY_LOCAL: return "not acceptable to this server";
    case SMTP_WHY_CUT: return "cut";
    case SMTP_WHY_LIMIT: return "limit of the server";
    case SMTP_WHY_CHUNKING: return "BDAT not understood";
    }
    return "?";
}
