{{/* Can this be installed? All that is missing or contradicts itself, at once, with what to do about it. */}}

{{- define "anteroom.validate" -}}
{{- $mode := include "anteroom.mode" . -}}
{{- if ne $mode "off" -}}
{{- with include "anteroom.shapes" . | fromJsonArray }}{{ fail (include "anteroom.refusal" (list $ .)) }}{{ end -}}
{{- $problems := concat (include "anteroom.missing" . | fromJsonArray) (include "anteroom.contradictions" . | fromJsonArray) -}}
{{- if $problems -}}
{{- fail (include "anteroom.refusal" (list . $problems)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Tables of `config` that are none. */}}
{{- define "anteroom.shapes" -}}
{{- $problems := list -}}
{{- range $table := list "access" "atlassian" "forward_auth" "ops" "proxy" "session" "store" -}}
{{- if and (hasKey $.Values.config $table) (not (kindIs "map" (get $.Values.config $table))) -}}
{{- $problems = append $problems (printf "config.%s is a table: write its keys below it, or leave it out" $table) -}}
{{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{/* What nobody but the operator can know. */}}
{{- define "anteroom.missing" -}}
{{- $values := .Values -}}
{{- $mode := include "anteroom.mode" . -}}
{{- $problems := list -}}
{{- if not $values.publicUrl -}}
{{- $problems = append $problems "publicUrl is missing: the address that people type, for example https://app.example.com" -}}
{{- end -}}
{{- if not $values.atlassian.clientId -}}
{{- $problems = append $problems "atlassian.clientId is missing: the client ID of your app at https://developer.atlassian.com/console/myapps/" -}}
{{- end -}}
{{- if not $values.atlassian.existingSecret -}}
{{- $problems = append $problems "atlassian.existingSecret is missing: the name of a Secret with that app's client secret" -}}
{{- end -}}
{{- $access := $values.access -}}
{{- if not (or $access.allowAnyAtlassianAccount $access.emailDomains $access.emails $access.accountIds) -}}
{{- $problems = append $problems "access is empty, and anybody on the internet can make an Atlassian account: set access.emailDomains, access.emails or access.accountIds; or access.allowAnyAtlassianAccount=true if you mean everybody" -}}
{{- end -}}
{{- if and (eq $mode "proxy") (not $values.upstream) (not (dig "proxy" "upstreams" nil $values.config)) -}}
{{- $problems = append $problems "upstream is missing: the app, for example http://app.default.svc:8080" -}}
{{- end -}}
{{- if and (eq $mode "sidecar") (not $values.sidecar.appPort) -}}
{{- $problems = append $problems "sidecar.appPort is missing: the port on 127.0.0.1 at which the app listens in its pod" -}}
{{- end -}}
{{- if eq $mode "forwardAuth" -}}
{{- if not $values.trustedProxies -}}
{{- $problems = append $problems "trustedProxies is missing: the network of the gateway's pods, whose questions are answered, for example [10.0.0.0/8]" -}}
{{- end -}}
{{- if not $values.forwardAuth.gateway -}}
{{- $problems = append $problems "forwardAuth.gateway is missing: traefik, envoyGateway, gatewayApi, nginx, or none for objects of your own" -}}
{{- end -}}
{{- if and (eq $values.forwardAuth.gateway "gatewayApi") (not $values.forwardAuth.app.service) -}}
{{- $problems = append $problems "forwardAuth.app.service is missing: the Gateway API asks within the route of the app, so the chart makes that route" -}}
{{- end -}}
{{- if and (eq $values.forwardAuth.gateway "envoyGateway") (not (or $values.forwardAuth.app.service $values.forwardAuth.app.httpRoute)) -}}
{{- $problems = append $problems "forwardAuth.app is missing: its service, for which the chart makes the route, or the httpRoute that there is" -}}
{{- end -}}
{{- end -}}
{{- if and (or $values.httpRoute.enabled (has $values.forwardAuth.gateway (list "gatewayApi" "envoyGateway"))) (has $mode (list "proxy" "forwardAuth")) (not $values.httpRoute.parentRefs) -}}
{{- $problems = append $problems "httpRoute.parentRefs is missing: the Gateway that the route belongs to, for example [{name: gateway}]" -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{/* Where below a path a tree has a key that is called as a secret is, in any spelling. Takes a list: the path, and the tree. */}}
{{- define "anteroom.strayedSecrets" -}}
{{- $path := index . 0 -}}
{{- $found := list -}}
{{- if kindIs "map" (index . 1) -}}
{{- range $key, $value := index . 1 -}}
{{- $here := printf "%s.%s" $path (include "anteroom.tomlKey" $key) -}}
{{- $headers := and (eq $key "headers") (regexMatch "(^|[.])(tracing|upstreams)$" $path) (kindIs "map" $value) -}}
{{- if or $headers (regexMatch "(?i)(secret|key|token|password)s?$" $key) (and (kindIs "string" $value) (regexMatch "://[^/@]*@" $value)) -}}
{{- $found = append $found $here -}}
{{- else -}}
{{- $found = concat $found (include "anteroom.strayedSecrets" (list $here $value) | fromJsonArray) -}}
{{- end -}}
{{- end -}}
{{- else if kindIs "slice" (index . 1) -}}
{{- range index . 1 -}}
{{- $found = concat $found (include "anteroom.strayedSecrets" (list $path .) | fromJsonArray) -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* Values that would do nothing in this mode: value, modes that heed it, what to do. */}}
{{- define "anteroom.astray" -}}
{{- $mode := include "anteroom.mode" . -}}
{{- $parent := "the pod is the parent chart's: say it there" -}}
{{- $problems := list -}}
{{- if and (eq $mode "sidecar") (ne (int .Values.replicas) 1) -}}
{{- $problems = append $problems (printf "replicas: %s" $parent) -}}
{{- end -}}
{{- if and (eq $mode "sidecar") (ne .Values.service.type "ClusterIP") -}}
{{- $problems = append $problems "service.type: the Service is the parent chart's: say it there" -}}
{{- end -}}
{{- if and (eq $mode "forwardAuth") (ne (int .Values.service.port) 80) -}}
{{- $problems = append $problems "service.port: gateways ask at port 4182" -}}
{{- end -}}
{{- range list
      (list "upstream" "proxy" (eq $mode "sidecar" | ternary "name sidecar.appPort" "name forwardAuth.app"))
      (list "sidecar.appPort" "sidecar" "set mode=sidecar, or name upstream")
      (list "sidecar.probePaths" "sidecar" "set mode=sidecar")
      (list "forwardAuth.gateway" "forwardAuth" "set mode=forwardAuth")
      (list "forwardAuth.app.service" "forwardAuth" "set mode=forwardAuth")
      (list "forwardAuth.app.httpRoute" "forwardAuth" "set mode=forwardAuth")
      (list "forwardAuth.headers" "forwardAuth" "set mode=forwardAuth")
      (list "forwardAuth.existingSecret" "forwardAuth" "set mode=forwardAuth")
      (list "ingress.enabled" "proxy" "the app's own Ingress leads to its Service")
      (list "httpRoute.enabled" "proxy" "the app's own HTTPRoute leads to its Service")
      (list "httpRoute.parentRefs" "proxy forwardAuth" "the app's own HTTPRoute names its Gateway")
      (list "service.spec" "proxy forwardAuth" "the Service is the parent chart's: say it there")
      (list "podSpec" "proxy forwardAuth" $parent)
      (list "persistence.storageClass" "proxy forwardAuth" "the claim is the parent chart's: name it in persistence.existingClaim")
      (list "ingress.className" "proxy forwardAuth" "the app's own Ingress leads to its Service")
      (list "ingress.annotations" "proxy forwardAuth" "the app's own Ingress leads to its Service")
      (list "ingress.tls" "proxy forwardAuth" "the app's own Ingress leads to its Service")
      (list "service.annotations" "proxy forwardAuth" "the Service is the parent chart's: say it there")
      (list "autoscaling.enabled" "proxy forwardAuth" $parent)
      (list "image.pullSecrets" "proxy forwardAuth" $parent)
      (list "serviceAccount.name" "proxy forwardAuth" $parent)
      (list "serviceAccount.annotations" "proxy forwardAuth" $parent)
      (list "podAnnotations" "proxy forwardAuth" $parent)
      (list "podLabels" "proxy forwardAuth" $parent)
      (list "nodeSelector" "proxy forwardAuth" $parent)
      (list "tolerations" "proxy forwardAuth" $parent)
      (list "affinity" "proxy forwardAuth" $parent)
      (list "topologySpreadConstraints" "proxy forwardAuth" $parent)
      (list "priorityClassName" "proxy forwardAuth" $parent) -}}
{{- $value := $.Values -}}
{{- range splitList "." (index . 0) -}}{{- $value = get $value . -}}{{- end -}}
{{- if and $value (not (has $mode (splitList " " (index . 1)))) -}}
{{- $problems = append $problems (printf "%s does nothing with mode=%s: %s" (index . 0) $mode (index . 2)) -}}
{{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{/* Values of something that is switched off, or decided elsewhere. */}}
{{- define "anteroom.unswitched" -}}
{{- $values := .Values -}}
{{- $mode := include "anteroom.mode" . -}}
{{- $gateway := $values.forwardAuth.gateway -}}
{{- $problems := list -}}
{{- if and (eq $mode "forwardAuth") (hasKey $values.config "proxy") -}}
{{- $problems = append $problems "config.proxy does nothing with mode=forwardAuth: there is no proxy. Leave it out" -}}
{{- else if and (ne $mode "forwardAuth") (hasKey $values.config "forward_auth") -}}
{{- $problems = append $problems (printf "config.forward_auth does nothing with mode=%s: no gateway asks. Leave it out" $mode) -}}
{{- end -}}
{{- if and (gt (int $values.shutdown.preStopSeconds) 0) (semverCompare "<1.30.0-0" .Capabilities.KubeVersion.Version) -}}
{{- $problems = append $problems "shutdown.preStopSeconds: Kubernetes before 1.30 cannot let a container sleep. Leave it out" -}}
{{- end -}}
{{- if eq $gateway "envoyGateway" -}}
{{- range $values.httpRoute.parentRefs -}}
{{- if ne (default "Gateway" .kind) "Gateway" -}}
{{- $problems = append $problems (printf "httpRoute.parentRefs: a %s can have no ClientTrafficPolicy, which takes identity headers from clients. Name the Gateway" .kind) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $key := list "from" "metricsFrom" "extraIngress" "egress" -}}
{{- if and (get $values.networkPolicy $key) (not $values.networkPolicy.enabled) -}}
{{- $problems = append $problems (printf "networkPolicy.%s: networkPolicy.enabled is false, so everybody is let in and out. Leave one of the two out" $key) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $mode "proxy") (not $values.ingress.enabled) -}}
{{- range $key := list "className" "annotations" "tls" -}}
{{- if get $values.ingress $key -}}
{{- $problems = append $problems (printf "ingress.%s: ingress.enabled is false, so there is none. Leave one of the two out" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $values.httpRoute.parentRefs -}}
{{- if and (eq $mode "proxy") (not $values.httpRoute.enabled) -}}
{{- $problems = append $problems "httpRoute.parentRefs: httpRoute.enabled is false, so there is none. Leave one of the two out" -}}
{{- else if and (eq $mode "forwardAuth") (has $gateway (list "traefik" "nginx" "none")) -}}
{{- $problems = append $problems (printf "httpRoute.parentRefs: gateway=%s makes no HTTPRoute. Leave it out" $gateway) -}}
{{- end -}}
{{- end -}}
{{- if and (ne $gateway "traefik") (ne ($values.forwardAuth.entryPoints | toJson) (list "websecure" | toJson)) -}}
{{- $problems = append $problems "forwardAuth.entryPoints are Traefik's: with another gateway, leave them out" -}}
{{- end -}}
{{- if and (ne $values.forwardAuth.secretKey "gateway-key") (not $values.forwardAuth.existingSecret) -}}
{{- $problems = append $problems "forwardAuth.secretKey is the key in forwardAuth.existingSecret, which is missing" -}}
{{- end -}}
{{- if and $values.autoscaling.enabled (ne (int $values.replicas) 1) -}}
{{- $problems = append $problems "replicas: with autoscaling.enabled the autoscaler decides, from autoscaling.minReplicas on. Leave one of the two out" -}}
{{- end -}}
{{- if and $values.persistence.existingClaim $values.persistence.storageClass -}}
{{- $problems = append $problems "persistence.storageClass: the claim in persistence.existingClaim has one. Leave one of the two out" -}}
{{- end -}}
{{- if and $values.serviceAccount.annotations (not $values.serviceAccount.create) -}}
{{- $problems = append $problems "serviceAccount.annotations: serviceAccount.create is false. Annotate the one that is there" -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{/* What cannot be meant together. */}}
{{- define "anteroom.contradictions" -}}
{{- $values := .Values -}}
{{- $mode := include "anteroom.mode" . -}}
{{- $problems := list -}}
{{- if and (include "anteroom.several" .) (not $values.separateStores) (include "anteroom.ownPods" .) -}}
{{- $problems = append $problems "replicas: every replica keeps its own store of accounts and ended sessions, so a person who signs out at one stays signed in at the others, and is greeted as new at each. Set separateStores=true if that is acceptable, or replicas=1" -}}
{{- end -}}
{{- if and $values.separateStores (include "anteroom.several" .) $values.persistence.existingClaim -}}
{{- $problems = append $problems "persistence.existingClaim: one volume cannot hold the stores of several replicas. Leave it out, or set replicas=1" -}}
{{- end -}}
{{- if and $values.autoscaling.enabled (lt (int $values.autoscaling.maxReplicas) (int $values.autoscaling.minReplicas)) -}}
{{- $problems = append $problems "autoscaling.maxReplicas is less than autoscaling.minReplicas" -}}
{{- end -}}
{{- if and (eq $mode "proxy") (regexMatch "^[a-z0-9]+://(localhost|127\\.|\\[::1\\])" $values.upstream) -}}
{{- $problems = append $problems "upstream: on loopback there is nobody but Anteroom in its pod. Name the app's Service, or put Anteroom into the app's pod with mode=sidecar" -}}
{{- end -}}
{{- $problems = concat $problems (include "anteroom.astray" . | fromJsonArray) -}}
{{- if and $values.persistence.existingClaim (not $values.persistence.enabled) -}}
{{- $problems = append $problems "persistence.existingClaim: persistence.enabled is false. Leave one of the two out" -}}
{{- end -}}
{{- $problems = concat $problems (include "anteroom.unswitched" . | fromJsonArray) -}}
{{- if and (ne $values.session.secretKey "session-keys") (not $values.session.existingSecret) -}}
{{- $problems = append $problems "session.secretKey is the key in session.existingSecret, which is missing" -}}
{{- end -}}
{{- $callback := include "anteroom.callbackPath" . -}}
{{- if not (regexMatch "^/[A-Za-z0-9._~/-]+$" $callback) -}}
{{- $problems = append $problems "config.atlassian.callback_path: write a plain path, such as /api/auth/callback/atlassian" -}}
{{- end -}}
{{- if and $values.forwardAuth.app.httpRoute (ne $values.forwardAuth.gateway "envoyGateway") -}}
{{- $problems = append $problems "forwardAuth.app.httpRoute is for gateway=envoyGateway: the others ask within a route, so name forwardAuth.app.service" -}}
{{- end -}}
{{- if and $values.forwardAuth.app.httpRoute $values.forwardAuth.app.service -}}
{{- $problems = append $problems "forwardAuth.app: name either the service, for which the chart makes the route, or the httpRoute that there is" -}}
{{- end -}}
{{- if and $values.forwardAuth.app.service (eq $values.forwardAuth.gateway "none") -}}
{{- $problems = append $problems "forwardAuth.app.service: with gateway=none the route is yours. Leave it out" -}}
{{- end -}}
{{- if has $values.forwardAuth.gateway (list "traefik" "envoyGateway" "gatewayApi" "none") -}}
{{- range $key := list "annotations" "className" "tls" -}}
{{- if get $values.ingress $key -}}
{{- $problems = append $problems (printf "ingress.%s: gateway=%s makes no Ingress. TLS is the gateway's own matter there" $key $values.forwardAuth.gateway) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $key, $_ := $values.ingress.annotations -}}
{{- if and (eq $mode "forwardAuth") (regexMatch "^nginx\\.ingress\\.kubernetes\\.io/(auth-|proxy-buffer-size$)" $key) -}}
{{- $problems = append $problems (printf "ingress.annotations.%s is the chart's own: it is how nginx asks. Leave it out" $key) -}}
{{- end -}}
{{- end -}}
{{- if and (or $values.upstream (eq $mode "sidecar")) (dig "proxy" "upstreams" nil $values.config) -}}
{{- $problems = append $problems (printf "config.proxy.upstreams: %s names the app already" (eq $mode "sidecar" | ternary "sidecar.appPort" "upstream")) -}}
{{- end -}}
{{- range prepend $values.appUrls $values.publicUrl -}}
{{- if and (hasPrefix "http://" .) (not (regexMatch "^http://([a-z0-9.-]+\\.)?(localhost|127\\.[0-9.]+)(:|/|$)" .)) -}}
{{- $problems = append $problems (printf "%s: http is for localhost alone. Write https, also where TLS ends before Anteroom" .) -}}
{{- end -}}
{{- end -}}
{{- if and $values.autoscaling.enabled (not (dig "requests" "cpu" nil $values.resources)) -}}
{{- $problems = append $problems "autoscaling.targetCPUUtilizationPercentage is a part of resources.requests.cpu, which is missing" -}}
{{- end -}}
{{- if and (eq $mode "sidecar") (has (int $values.sidecar.appPort) (list 4180 4181 4183)) -}}
{{- $problems = append $problems "sidecar.appPort: 4180, 4181 and 4183 are Anteroom's own in the pod. Let the app listen at another port of 127.0.0.1" -}}
{{- end -}}
{{- if and $values.forwardAuth.existingSecret (has $values.forwardAuth.gateway (list "traefik" "gatewayApi")) -}}
{{- $problems = append $problems (printf "forwardAuth.existingSecret: %s cannot send a key from a Secret. Leave it out, and let networkPolicy.from admit only the gateway's pods" $values.forwardAuth.gateway) -}}
{{- end -}}
{{- range include "anteroom.ownKeys" . | fromJsonArray -}}
{{- $path := splitList "." (first .) -}}
{{- $table := $values.config -}}
{{- range initial $path -}}
{{- $table = kindIs "map" $table | ternary (get ($table | default dict) .) nil -}}
{{- end -}}
{{- if and (kindIs "map" $table) (hasKey $table (last $path)) -}}
{{- $problems = append $problems (printf "config.%s: %s" (first .) (last .)) -}}
{{- end -}}
{{- end -}}
{{- range include "anteroom.strayedSecrets" (list "config" $values.config) | fromJsonArray -}}
{{- if not (has . (list "config.atlassian.client_secret" "config.session.secret" "config.forward_auth.key" "config.ops.tracing.headers" "config.proxy.upstreams.headers")) -}}
{{- $problems = append $problems (printf "%s: a ConfigMap is no place for a secret, not even in the table of a profile: set atlassian.existingSecret, session.existingSecret or forwardAuth.existingSecret" .) -}}
{{- end -}}
{{- end -}}
{{- range dig "proxy" "upstreams" list $values.config -}}
{{- if hasKey . "headers" -}}
{{- $problems = append $problems "config.proxy.upstreams: a ConfigMap is no place for secret headers: use headers_files with extraVolumes" -}}
{{- end -}}
{{- end -}}
{{- toJson ($problems | uniq) -}}
{{- end -}}

{{/* Takes a list: the chart's context, and the problems. */}}
{{- define "anteroom.refusal" -}}
{{- $top := index . 0 -}}
{{- $secret := default (printf "%s-atlassian" (include "anteroom.fullname" $top)) $top.Values.atlassian.existingSecret -}}
Anteroom cannot be installed like this yet:
{{- range index . 1 }}
  - {{ . }}
{{- end }}

Nothing secret goes into the values. Make the Secret; the command reads the client secret from the keyboard (paste it, press Enter, then Ctrl-D):

  kubectl create secret generic {{ $secret }} --namespace {{ $top.Release.Namespace }} --from-file={{ $top.Values.atlassian.secretKey }}=/dev/stdin

Then put this into values.yaml, with your own names in it:

  publicUrl: {{ default "https://app.example.com" $top.Values.publicUrl }}
{{- if eq (include "anteroom.mode" $top) "proxy" }}
  upstream: {{ default "http://app.default.svc:8080" $top.Values.upstream }}
{{- else if eq (include "anteroom.mode" $top) "sidecar" }}
  sidecar:
    appPort: {{ default 8080 $top.Values.sidecar.appPort }}
{{- else }}
  trustedProxies: {{ default (list "10.0.0.0/8") $top.Values.trustedProxies | toJson }}
  forwardAuth:
    gateway: {{ default "traefik" $top.Values.forwardAuth.gateway }}
{{- end }}
  atlassian:
    clientId: {{ default "YOUR-CLIENT-ID" $top.Values.atlassian.clientId }}
    existingSecret: {{ $secret }}
  access:
    emailDomains: {{ default (list "example.com") $top.Values.access.emailDomains | toJson }}
{{ end -}}
