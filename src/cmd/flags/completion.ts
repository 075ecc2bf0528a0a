// The `completion` command of a program: prints a script that a shell loads, and that asks the
// program itself (`__complete`) what may follow.

import type { Body } from "./command.ts";
import { quote } from "./go-text.ts";

type Shell = "bash" | "zsh" | "fish" | "powershell";

const shells: readonly Shell[] = ["bash", "zsh", "fish", "powershell"];

/** The first line of each script, with the mode line that editors look for. */
function title(shell: Shell, program: string): string {
  return `# ${shell} completion for ${program}                              -*- shell-script -*-`;
}

const scripts: Readonly<Record<Shell, (program: string) => string>> = {
  bash: (program) => `${title("bash", program)}

__${program}_debug()
{
    if [[ -n \${BASH_COMP_DEBUG_FILE:-} ]]; then
        printf '%s\\n' "$*" >> "\${BASH_COMP_DEBUG_FILE}"
    fi
}

__${program}_complete()
{
    local line directive=0 typed=\${COMP_LINE:0:COMP_POINT}
    local -a words
    # Bash's own words break at ':' and '=', which endpoints and flags contain.
    read -ra words <<< "$typed"
    [[ $typed == *[[:space:]] ]] && words+=("")
    __${program}_debug "complete \${words[*]}"
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :*) directive=\${line#:} ;;
            *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
        esac
    done < <("\${words[0]}" __complete "\${words[@]:1}" 2>/dev/null)
    if [[ $directive == 0 ]]; then
        compopt -o default
    fi
}

complete -F __${program}_complete ${program}
`,
  zsh: (program) => `#compdef ${program}
compdef _${program} ${program}

${title("zsh", program)}

_${program}()
{
    local line directive=0
    local -a candidates
    while IFS= read -r line; do
        case $line in
            :*) directive=\${line#:} ;;
            *) candidates+=("\${\${line//:/\\\\:}/$'\\t'/:}") ;;
        esac
    done < <("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
    if (( \${#candidates} )); then
        _describe '${program}' candidates
    fi
    if [[ $directive == 0 ]]; then
        _files
    fi
}

if [ "$funcstack[1]" = "_${program}" ]; then
    _${program} "$@"
fi
`,
  fish: (program) => `${title("fish", program)}

function __${program}_debug
    set -l file "$BASH_COMP_DEBUG_FILE"
    if test -n "$file"
        echo "$argv" >> $file
    end
end

function __${program}_complete
    set -l words (commandline -opc) (commandline -ct)
    __${program}_debug "complete $words"
    for line in ($words[1] __complete $words[2..-1] 2>/dev/null)
        switch $line
            case ':0'
                __fish_complete_path (commandline -ct)
            case ':*'
            case '*'
                echo $line
        end
    end
end

complete -c ${program} -f -a '(__${program}_complete)'
`,
  powershell: (program) => `${title("powershell", program)}

function __${program}_debug {
    if ($env:BASH_COMP_DEBUG_FILE) {
        "$args" | Out-File -Append -FilePath "$env:BASH_COMP_DEBUG_FILE"
    }
}

Register-ArgumentCompleter -Native -CommandName '${program}' -ScriptBlock {
    param($typed, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })
    if ($typed -eq '') { $words += '""' }
    __${program}_debug "complete $words"
    & '${program}' __complete @words 2>$null | Where-Object { -not $_.StartsWith(':') } |
        ForEach-Object {
            $name, $text = $_ -split "\`t", 2
            if (-not $text) { $text = $name }
            [System.Management.Automation.CompletionResult]::new(
                $name, $name, 'ParameterValue', $text)
        }
}
`,
};

export function completionScript(shell: Shell, program: string): string {
  return scripts[shell](program);
}

function validate(program: string, args: readonly string[]): string | undefined {
  if (args.length !== 1) return `accepts 1 arg(s), received ${args.length}`;
  if ((shells as readonly string[]).includes(args[0]!)) return undefined;
  return `invalid argument ${quote(args[0]!)} for ${quote(`${program} completion`)}`;
}

/** The body of `<program> completion`. */
export function completionBody<Context>(
  program: string,
  print: (context: Context, text: string) => void,
): Body<Context> {
  return {
    long: `Prints a script that completes the commands and flags of ${program}.

Bash:        source <(${program} completion bash)
Zsh:         source <(${program} completion zsh)
fish:        ${program} completion fish | source
PowerShell:  ${program} completion powershell | Out-String | Invoke-Expression

To have it in each new shell, put that line into the start-up file of the shell.`,
    values: shells,
    validate: (args) => validate(program, args),
    prepare: () => async (context, args) => {
      print(context, completionScript(args[0] as Shell, program));
    },
  };
}
