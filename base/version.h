/* Which version of the program this is: the project's, or what a package calls it (meson's -Dversion_text).
 */
#ifndef TSUBAME_VERSION_H
#define TSUBAME_VERSION_H

extern const char tsubame_version[];

#endif
