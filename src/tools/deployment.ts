/** Files that say how a project is put to work on a server. A library that is only published has none of them. */
const patterns = [
  /(^|\/)(Dockerfile|Containerfile|Procfile|Jenkinsfile|Capfile)$/,
  /(^|\/)(docker-)?compose(\.[\w-]+)?\.ya?ml$/,
  /(^|\/)(fly|netlify|wrangler|railway)\.(toml|json)$/,
  /(^|\/)(vercel|now)\.json$/,
  /(^|\/)(app|render|serverless|skaffold|cloudbuild|appspec|Chart)\.ya?ml$/,
  /(^|\/)(k8s|kubernetes|helm|terraform|ansible|deploy(ment)?s?)\//,
  /\.tf$/,
  /^\.github\/workflows\/[^/]*deploy[^/]*\.ya?ml$/,
];

/** `path`: of a file, from the root of the workspace. */
export function tellsOfDeployment(path: string): boolean {
  return patterns.some((pattern) => pattern.test(path));
}
