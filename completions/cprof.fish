# SPDX-License-Identifier: Apache-2.0
# fish completion for cprof. The options come from the program itself: cprof --list-options.

function __cprof_verb
    set -l words (commandline -opc)
    test (count $words) -ge 2; and echo $words[2]
end

function __cprof_options
    set -l verb (__cprof_verb); or return
    cprof --list-options $verb 2>/dev/null | while read -l -d \t letter name value help
        printf -- '--%s\t%s\n' $name $help
        test -n "$letter"; and printf -- '-%s\t%s\n' $letter $help
    end
end

# The long name of the option before the cursor, if it takes a value.
function __cprof_waits_for
    set -l verb (__cprof_verb); or return 1
    set -l before (commandline -opc)[-1]
    cprof --list-options $verb 2>/dev/null | while read -l -d \t letter name value help
        if test -n "$value"; and contains -- $before "-$letter" "--$name"
            echo $name
            return 0
        end
    end
    return 1
end

function __cprof_values
    set -l option (__cprof_waits_for)
    switch $option
        case pid
            __fish_complete_pids
        case name
            cat /proc/[0-9]*/comm 2>/dev/null | sort -u
        case output
            __fish_complete_path (commandline -ct)
        case cgroup
            __fish_complete_directories (commandline -ct)
        case '*'
            cprof --list-options (__cprof_verb) $option 2>/dev/null
    end
end

complete -c cprof -f
complete -c cprof -n 'not __cprof_verb; or test (__cprof_verb) = help' -a '(cprof --list-options)'
complete -c cprof -n '__cprof_verb; and not __cprof_waits_for' -a '(__cprof_options)'
complete -c cprof -n '__cprof_waits_for' -a '(__cprof_values)'
