/** What a line of code can begin. Within a `container` it is looked for more; what lies in anything else is local. */
export interface Rule {
  readonly pattern: RegExp;
  readonly container?: boolean;
  /** Only within a container: what looks the same outside is a call. */
  readonly inside?: boolean;
}

/** The rules of a language, tried in turn on a line without its indent; the first that fits counts. */
export function rulesFor(path: string): readonly Rule[] | undefined {
  const ending = /\.(\w+)$/.exec(path.toLowerCase())?.[1] ?? "";
  return Object.hasOwn(languages, ending) ? languages[ending] : undefined;
}

const script: readonly Rule[] = [
  { pattern: /^(?:export\s+)?(?:default\s+)?(?:declare\s+)?(?:abstract\s+)?class\b/, container: true },
  {
    pattern: /^(?:export\s+)?(?:default\s+)?(?:declare\s+)?(?:interface|namespace|module)\s+[\w$."']+/,
    container: true,
  },
  { pattern: /^(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+\w+/ },
  { pattern: /^(?:export\s+)?(?:declare\s+)?type\s+[\w$]+.{0,200}=/ },
  { pattern: /^(?:export\s+)?(?:default\s+)?(?:declare\s+)?(?:async\s+)?function\b/ },
  { pattern: /^export\s+(?:default|declare|const|let|var)\b/ },
  { pattern: /^(?:module\.)?exports\b[\w.$]{0,80}\s*=/ },
  {
    pattern:
      /^(?:const|let|var)\s+[\w$]+\b.{0,200}?=\s*(?:async\s*)?(?:function\b|\(.{0,200}\)\s*(?::.{0,100})?=>|\w+\s*=>|\($)/,
  },
  {
    pattern:
      /^(?!(?:if|for|while|switch|catch|return|throw|new|await|function|else|do)\b)(?:(?:public|private|protected|static|abstract|override|readonly|async|get|set|declare)\s+)*\*?(?:#?[\w$]+|\[[^\]]{1,80}\])[?!]?\s*(?:<.{0,80}>)?\(/,
    inside: true,
  },
  {
    pattern:
      /^(?:(?:public|private|protected|static|override|readonly)\s+)*#?[\w$]+\s*(?::.{0,100})?=\s*(?:async\s*)?\(.{0,200}=>/,
    inside: true,
  },
];

const curly: readonly Rule[] = [
  {
    pattern:
      /^(?:(?:public|private|protected|internal|static|final|abstract|sealed|partial|data|open|inner|readonly|companion)\s+)*(?:class|interface|enum|record|struct|object|namespace|@interface)\b/,
    container: true,
  },
  { pattern: /^(?:(?:public|private|protected|internal|override|open|suspend|inline|static|final|abstract)\s+)*fun\s/ },
  {
    pattern:
      /^(?!(?:if|for|while|switch|catch|return|throw|new|else|do|using|lock|synchronized)\b)(?:@\w+\s+)*(?:(?:public|private|protected|internal|static|final|abstract|virtual|override|async|synchronized|default|native|sealed)\s+)*(?:<.{1,80}?>\s*)?(?:[\w.]+(?:<.{0,80}?>)?(?:\[\])*\??\s+)?\w+\s*(?:<.{0,60}?>)?\([^;=]{0,300};?$/,
    inside: true,
  },
  { pattern: /^(?:public\s+)?(?:static\s+final|const)\s.{1,200}=/, inside: true },
];

const cLike: readonly Rule[] = [
  { pattern: /^(?:template\s*<.{0,100}>\s*)?(?:class|namespace)\s+\w+[^;]*$/, container: true },
  { pattern: /^(?:typedef\s+)?(?:struct|union|enum)\b[^;()=]*$/ },
  { pattern: /^typedef\s/ },
  { pattern: /^#\s*define\s+\w+\(/ },
  {
    pattern:
      /^(?!(?:if|for|while|switch|return|else|do|case|goto|delete|throw|using)\b)(?:[\w:<>,*&~[\]]+\s+){1,6}[*&]*[\w:~]+(?:operator.{1,3})?\s*\([^;=]{0,300}$/,
  },
  { pattern: /^(?:explicit\s+|virtual\s+)*~?\w+\s*\([^;]{0,300}\)[^;]{0,100}\{/, inside: true },
];

const languages: Record<string, readonly Rule[]> = {
  ...same(["ts", "tsx", "mts", "cts", "js", "jsx", "mjs", "cjs"], script),
  ...same(["java", "kt", "cs"], curly),
  ...same(["c", "h", "cc", "cpp", "cxx", "hpp", "hh"], cLike),
  ...same(
    ["py", "pyi"],
    [
      { pattern: /^class\s+\w+/, container: true },
      { pattern: /^(?:async\s+)?def\s+\w+/ },
      { pattern: /^[A-Z][A-Z0-9_]*\s*(?::.{1,80})?=(?!=)/ },
    ],
  ),
  php: [
    { pattern: /^(?:(?:abstract|final|readonly)\s+)*(?:class|interface|trait|enum)\s+\w+/i, container: true },
    { pattern: /^namespace\s+[\w\\]+\s*\{/i, container: true },
    { pattern: /^(?:(?:public|private|protected|static|abstract|final)\s+)*function\s+&?\w+/i },
    { pattern: /^(?:(?:public|private|protected|final)\s+)*const\s+[\w\s]+=/i },
    { pattern: /^define\(/ },
  ],
  go: [{ pattern: /^func\b/ }, { pattern: /^type\s+\w+/ }, { pattern: /^(?:const|var)\s+[A-Z]\w*/ }],
  rs: [
    { pattern: /^(?:pub(?:\([\w:\s]+\))?\s+)?(?:unsafe\s+)?(?:trait|impl|mod)\b[^;]*$/, container: true },
    { pattern: /^(?:pub(?:\([\w:\s]+\))?\s+)?(?:struct|enum|union|type|static|const)\s+(?!fn\b|unsafe\b)\w+/ },
    { pattern: /^(?:pub(?:\([\w:\s]+\))?\s+)?(?:(?:default|const|async|unsafe|extern(?:\s+"[^"]*")?)\s+)*fn\s+\w+/ },
    { pattern: /^macro_rules!/ },
  ],
  rb: [
    { pattern: /^(?:class|module)\s+\S/, container: true },
    { pattern: /^def\s+\S/ },
    { pattern: /^[A-Z][A-Z0-9_]*\s*=(?!=)/ },
  ],
};

function same(endings: readonly string[], rules: readonly Rule[]): Record<string, readonly Rule[]> {
  return Object.fromEntries(endings.map((ending) => [ending, rules]));
}
