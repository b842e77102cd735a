/* tsubame completion: what a shell is to load. All that is completed is found out by `tsubame complete`, so
 * that a new option needs no new script. */
#include "command.h"

/* bash parts words at '=' and ':' too; what it gives back must begin where its present word does. */
static const char bash[] =
    "# bash completion for tsubame; made by `tsubame completion bash`.\n"
    "_tsubame() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} kind line IFS=$'\\n'\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        if [[ -z ${kind-} ]]; then\n"
    "            kind=$line\n"
    "            [[ $kind != nospace ]] || compopt -o nospace 2>/dev/null\n"
    "        elif [[ -n $line ]]; then\n"
    "            printf -v line %q \"${line%%$'\\t'*}\"\n"
    "            COMPREPLY+=(\"$line\")\n"
    "        fi\n"
    "    done < <(\"${COMP_WORDS[0]}\" complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "    [[ $cur != = ]] || cur=\n"
    "    case ${kind-} in\n"
    "    files) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
    "    folders) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- \"$cur\")) ;;\n"
    "    esac\n"
    "}\n"
    "complete -F _tsubame tsubame\n";

static const char zsh[] =
    "#compdef tsubame\n"
    "# zsh completion for tsubame; made by `tsubame completion zsh`.\n"
    "_tsubame() {\n"
    "    local kind line word\n"
    "    local -a lines described\n"
    "    lines=(\"${(@f)$(\"${words[1]}\" complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
    "    kind=$lines[1]\n"
    "    case $kind in\n"
    "    files) compset -P '--*='; _files ;;\n"
    "    folders) compset -P '--*='; _files -/ ;;\n"
    "    words|nospace)\n"
    "        compset -P '--*='\n"
    "        for line in \"${(@)lines[2,-1]}\"; do\n"
    "            [[ -n $line ]] || continue\n"
    "            word=${${line%%$'\\t'*}//:/\\\\:}\n"
    "            [[ $line != *$'\\t'* ]] || word+=:${line#*$'\\t'}\n"
    "            described+=(\"$word\")\n"
    "        done\n"
    "        if [[ $kind = nospace ]]; then _describe tsubame described -S ''; else _describe tsubame "
    "described; fi\n"
    "        ;;\n"
    "    esac\n"
    "}\n"
    "if [[ $funcstack[1] = _tsubame ]]; then _tsubame \"$@\"; else compdef _tsubame tsubame; fi\n";

static const char fish[] =
    "# fish completion for tsubame; made by `tsubame completion fish`.\n"
    "function __tsubame_complete\n"
    "    set -l words (commandline -opc) (commandline -ct)\n"
    "    set -l lines ($words[1] complete -- $words[2..-1] 2>/dev/null)\n"
    "    set -l before (string match -r -- '^--[^=]*=' (commandline -ct))\n"
    "    switch \"$lines[1]\"\n"
    "        case files\n"
    "            __fish_complete_path (string replace -r -- '^--[^=]*=' '' (commandline -ct)) | "
    "string replace -r '^' -- \"$before\"\n"
    "        case folders\n"
    "            __fish_complete_directories (string replace -r -- '^--[^=]*=' '' (commandline -ct)) | "
    "string replace -r '^' -- \"$before\"\n"
    "        case '*'\n"
    "            string replace -r '^' -- \"$before\" $lines[2..-1]\n"
    "    end\n"
    "end\n"
    "complete -c tsubame -f -a '(__tsubame_complete)'\n";

static int run(struct invocation *in) {
    static const struct {
        const char *shell, *script;
    } all[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    struct buf out;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(in->operands[0], all[i].shell) != 0) continue;
        buf_init(&out, 65536);
        buf_put_text(&out, all[i].script);
        int code = command_print(&out);
        buf_done(&out);
        return code;
    }
    return command_complain(EXIT_USAGE, "completion: expected bash, zsh or fish, got '%s'", in->operands[0]);
}

const struct command command_completion = {
    .name = "completion",
    .operands = "bash | zsh | fish",
    .summary = "what a shell needs to complete commands and campaigns",
    .text = "Prints a script for that shell to load. Debian's package brings all three.\n",
    .examples = "  source <(tsubame completion bash)\n"
                "  tsubame completion zsh > ~/.zsh/_tsubame        # a folder of $fpath\n"
                "  tsubame completion fish > ~/.config/fish/completions/tsubame.fish\n",
    .least = 1,
    .most = 1,
    .bare = true,
    .run = run,
};
