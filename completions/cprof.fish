# SPDX-License-Identifier: Apache-2.0
# fish completion for cprof. The options come from the program itself: cprof --list-options.

function __cprof_verb_is
    set -l words (commandline -opc)
    test (count $words) -ge 2; and contains -- $words[2] $argv
end

function __cprof_needs_verb
    test (count (commandline -opc)) -eq 1
end

function __cprof_values -a verb option
    switch $option
        case pid
            __fish_complete_pids
        case name
            cat /proc/[0-9]*/comm 2>/dev/null | sort -u
        case cgroup
            __fish_complete_directories (commandline -ct)
        case '*'
            cprof --list-options $verb $option 2>/dev/null
    end
end

complete -c cprof -f
complete -c cprof -n '__cprof_needs_verb; or __cprof_verb_is help' -a '(cprof --list-options)'
complete -c cprof -n '__cprof_verb_is report diff convert merge' -F
for verb in (cprof --list-options 2>/dev/null | cut -f 1)
    cprof --list-options $verb 2>/dev/null | while read -l -d \t letter name value help
        set -l spec -c cprof -n "__cprof_verb_is $verb" -l $name -d $help
        test -n "$letter"; and set -a spec -s $letter
        if test $name = output
            set -a spec -r -F
        else if test -n "$value"
            set -a spec -x -a "(__cprof_values $verb $name)"
        end
        complete $spec
    end
end
