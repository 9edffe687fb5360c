{{/* What was made, and what is left to do. A parent chart includes "anteroom.notes" in its own NOTES.txt. */}}

{{- define "anteroom.notes" -}}
{{- $mode := include "anteroom.mode" . -}}
{{- if eq $mode "off" -}}
Anteroom is off: nothing was installed, and nobody is asked to sign in.
{{- else -}}
People sign in at {{ .Values.publicUrl }}. In the developer console of Atlassian the callback URL is exactly

  {{ trimSuffix "/" .Values.publicUrl }}{{ include "anteroom.callbackPath" . }}
{{- if .Values.access.allowAnyAtlassianAccount }}

EVERYBODY with an Atlassian account may sign in (access.allowAnyAtlassianAccount).
{{- end }}
{{ if eq $mode "sidecar" }}
{{ include "anteroom.sidecarNotes" . }}
{{- else if eq $mode "forwardAuth" }}
{{ include "anteroom.gatewayNotes" . }}
{{- else if not (or .Values.ingress.enabled .Values.httpRoute.enabled) }}
Nothing leads there from outside yet: set ingress.enabled or httpRoute.enabled, or point your own route at the Service
{{ include "anteroom.fullname" . }}, port {{ .Values.service.port }}. Until then:

  kubectl port-forward --namespace {{ .Release.Namespace }} service/{{ include "anteroom.fullname" . }} 4180:{{ .Values.service.port }}
{{- end }}
{{- if eq $mode "proxy" }}

The app must not be reachable beside Anteroom: let a NetworkPolicy admit only pods with
{{ include "anteroom.podSelector" . | nindent 2 }}
{{- end }}
{{- if and (or .Values.ingress.enabled .Values.httpRoute.enabled) (not .Values.trustedProxies) }}

All people seem to come from one address, that of the Ingress or Gateway, and share its limits: name its pods' network in
trustedProxies.
{{- end }}
{{- if not .Values.session.existingSecret }}

The session key is in the Secret {{ include "anteroom.sessionSecretName" . }}; upgrades keep it. Where nobody makes it
(Argo CD, helm template) the pod waits for it: make it yourself, and name it in session.existingSecret.
{{- end }}
{{- if include "anteroom.ownPods" . }}

Try a sign-in inside the cluster, at a made-up Atlassian:

  helm test {{ .Release.Name }} --namespace {{ .Release.Namespace }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* The three things without which a sidecar protects nothing, each as far as it can be seen from here. */}}
{{- define "anteroom.sidecarNotes" -}}
{{- $label := include "anteroom.fullname" . -}}
{{- $found := dict "pods" list "services" list -}}
{{- range $kind := list "Deployment" "StatefulSet" "DaemonSet" -}}
{{- range (lookup "apps/v1" $kind $.Release.Namespace "").items -}}
{{- $template := .spec.template -}}
{{- if eq (dig "metadata" "labels" "anteroom.dev/sidecar" "" $template) $label -}}
{{- $_ := set $found "pods" (append $found.pods $template) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $found.pods -}}
{{- $labels := (first $found.pods).metadata.labels -}}
{{- range (lookup "v1" "Service" .Release.Namespace "").items -}}
{{- $selects := not (empty .spec.selector) -}}
{{- range $key, $value := .spec.selector -}}
{{- if ne (get $labels $key) $value -}}{{- $selects = false -}}{{- end -}}
{{- end -}}
{{- if and $selects (ne .metadata.name (printf "%s-metrics" $label)) -}}
{{- $_ := set $found "services" (append $found.services .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
A sidecar protects the app when three things are true{{ if .Release.IsUpgrade }}. Below is how they were BEFORE this upgrade; the command at the
end says how they are now{{ end }}:

1. The app listens on 127.0.0.1:{{ .Values.sidecar.appPort }}, and nowhere else.
   {{ include "anteroom.loopbackNote" (list . $found.pods) }}
2. The app's Service leads to Anteroom: targetPort: 4180.
   {{ include "anteroom.serviceNote" (list . $found) }}
3. The kubelet's probes of the app go through Anteroom: port: 4183, and their paths in sidecar.probePaths.
   {{ include "anteroom.probesNote" (list . $found.pods) }}

What can only be seen from inside of the pod:

  kubectl exec -n {{ .Release.Namespace }} POD -c anteroom -- /usr/local/bin/anteroom doctor --service SERVICE
{{- end -}}

{{- define "anteroom.loopbackNote" -}}
{{- $top := index . 0 -}}
{{- $open := list -}}
{{- range index . 1 -}}
{{- range .spec.containers -}}
{{- if ne .name "anteroom" -}}
{{- range .ports -}}
{{- if eq (int .containerPort) (int $top.Values.sidecar.appPort) -}}{{- $open = append $open .containerPort -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $open -}}
MISSING? A container of the pod declares port {{ first $open }}, which says that others may reach it. Bind the app to 127.0.0.1.
{{- else if $top.Values.networkPolicy.enabled -}}
NOT VISIBLE from here. The NetworkPolicy closes the port meanwhile, if the cluster's network knows them.
{{- else -}}
NOT VISIBLE from here, and networkPolicy.enabled is false: if the app listens on the pod's address, everybody in the cluster walks past Anteroom.
{{- end -}}
{{- end -}}

{{- define "anteroom.serviceNote" -}}
{{- $found := index . 1 -}}
{{- $wrong := list -}}
{{- $right := list -}}
{{- range $service := $found.services -}}
{{- range .spec.ports -}}
{{- if has (toString .targetPort) (list "anteroom-http" "4180") -}}
{{- $right = append $right $service.metadata.name -}}
{{- else -}}
{{- $wrong = append $wrong (printf "%s (targetPort %v)" $service.metadata.name .targetPort) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $right -}}
OK: {{ join ", " ($right | uniq) }}{{ with $wrong }}. Past Anteroom: {{ join ", " . }}{{ end }}
{{- else if $wrong -}}
MISSING: {{ join ", " $wrong }}
{{- else -}}
NOT SEEN: no Service selects pods with this sidecar yet.
{{- end -}}
{{- end -}}

{{- define "anteroom.probesNote" -}}
{{- $top := index . 0 -}}
{{- $stray := list -}}
{{- $asked := list -}}
{{- range index . 1 -}}
{{- range $container := .spec.containers -}}
{{- if ne .name "anteroom" -}}
{{- range $kind := list "startupProbe" "livenessProbe" "readinessProbe" -}}
{{- $probe := get $container $kind | default dict -}}
{{- $port := toString (dig "httpGet" "port" (dig "tcpSocket" "port" (dig "grpc" "port" "" $probe) $probe) $probe) -}}
{{- $path := dig "httpGet" "path" "" $probe -}}
{{- if and $port (not (eq $port "4183")) -}}
{{- $stray = append $stray (printf "%s of %s asks port %s" $kind $container.name $port) -}}
{{- else if and $path (not (has $path $top.Values.sidecar.probePaths)) -}}
{{- $stray = append $stray (printf "%s of %s asks %s, which is not in sidecar.probePaths" $kind $container.name $path) -}}
{{- else if $path -}}
{{- $asked = append $asked $path -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $stray -}}
MISSING: {{ join ", " $stray }}
{{- else if $asked -}}
OK: {{ $asked | uniq | join ", " }}
{{- else if not $top.Values.sidecar.probePaths -}}
MISSING: sidecar.probePaths is empty. Once the app is on loopback, the kubelet cannot reach it; exec probes need no path.
{{- else -}}
NOT SEEN yet: {{ join ", " $top.Values.sidecar.probePaths }} will be let through on port 4183.
{{- end -}}
{{- end -}}

{{- define "anteroom.gatewayNotes" -}}
{{- $name := include "anteroom.fullname" . -}}
{{- $gateway := .Values.forwardAuth.gateway -}}
{{- if and (ne $gateway "none") .Values.forwardAuth.app.service -}}
The gateway asks Anteroom about every request to {{ .Values.forwardAuth.app.service }}.
{{- if eq $gateway "envoyGateway" }}
{{ include "anteroom.clientPolicyNote" . }}
{{- end }}
{{- else if eq $gateway "traefik" -}}
Nothing asks Anteroom yet. At every router of the app:

  middlewares: [{name: {{ $name }}-clean}, {name: {{ $name }}-verify}]
{{- else if eq $gateway "envoyGateway" -}}
The gateway asks Anteroom about every request of the HTTPRoute {{ .Values.forwardAuth.app.httpRoute }}.
{{ include "anteroom.clientPolicyNote" . }}
{{- else if eq $gateway "nginx" -}}
Nothing asks Anteroom yet. At the app's Ingress:

  annotations:
    {{- include "anteroom.nginxAnnotations" . | nindent 4 }}
{{- else -}}
Nothing asks Anteroom yet. It answers at {{ $name }}.{{ .Release.Namespace }}.svc:4182; `anteroom config` prints what a gateway has to be told.
{{- end }}
{{- if and (eq $gateway "nginx") .Values.forwardAuth.existingSecret }}

nginx reads the key from a ConfigMap, which is yours to make; whoever may read it may ask. Until then it answers 503:

  kubectl create configmap {{ $name }}-gateway -n {{ .Release.Namespace }} --from-literal=X-Anteroom-Gateway-Key="$(kubectl get secret {{ .Values.forwardAuth.existingSecret }} -n {{ .Release.Namespace }} -o go-template='{{ `{{ index .data ` }}"{{ .Values.forwardAuth.secretKey }}"{{ ` | base64decode }}` }}')"
{{- end }}
{{- if not .Values.networkPolicy.from }}

Everybody in the cluster may ask: set networkPolicy.from to the gateway's pods.
{{- end }}
{{- if eq $gateway "traefik" }}

Traefik needs --entryPoints.<name>.http.aliasHeadersStrategy=delete (3.7.12 or later), or X_Anteroom_Email passes.
{{- end }}
{{- end -}}

{{- define "anteroom.clientPolicyNote" -}}
Envoy Gateway obeys one ClientTrafficPolicy for a Gateway, the oldest. Each of these has to be Accepted, or another of the same
removeOnMatch, so that no client says who it is:
{{ range $index, $gateway := .Values.httpRoute.parentRefs }}
  kubectl get clienttrafficpolicy -n {{ default $.Release.Namespace $gateway.namespace }} {{ include "anteroom.clientPolicyName" (list $ $index) }} -o jsonpath='{.status}'
{{- end }}
{{- if .Values.forwardAuth.existingSecret }}

Envoy reads the key from ANTEROOM_FORWARD_AUTH__KEY in its own environment: let an EnvoyProxy object set it from a copy of the Secret
{{ .Values.forwardAuth.existingSecret }}, key {{ .Values.forwardAuth.secretKey }}.
{{- end }}
{{- end -}}
