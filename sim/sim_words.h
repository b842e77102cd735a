/* The tables of words, one for each manner, for sim_manner.c only. Index: enum sim_reply; NULL: the plain
 * one. */
#ifndef TSUBAME_SIM_WORDS_H
#define TSUBAME_SIM_WORDS_H

#include "sim_manner.h"

extern const char *const sim_words_google[SIM_SAYS],
    *const sim_words_outlook[SIM_SAYS],
        *const sim_words_office365[SIM_SAYS],
            *const sim_words_yahoo[SIM_SAYS],
                *const sim_words_apple[SIM_SAYS],
                    *const sim_words_docomo[SIM_SAYS],
                        *const sim_words_au[SIM_SAYS],
                            *const sim_words_softbank[SIM_SAYS],
                                *const sim_words_yahoo_jp[SIM_SAYS],
                                    *const sim_words_orange[SIM_SAYS],
                                        *const sim_words_free[SIM_SAYS],
                                            *const sim_words_gmx[SIM_SAYS],
                                                *const sim_words_qq[SIM_SAYS],
                                                    *const sim_words_netease[SIM_SAYS],
                                                        *const sim_words_comcast[SIM_SAYS],
                                                            *const sim_words_mimecast[SIM_SAYS],
                                                                *const sim_words_exim[SIM_SAYS],
                                                                    *const sim_words_postfix[SIM_SAYS];

#endif
