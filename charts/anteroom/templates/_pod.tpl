{{/* The container, and what its pod needs. The chart's own Deployment and a parent chart's pod use the same. */}}

{{- define "anteroom.containerTree" -}}
{{- $values := .Values -}}
{{- $mode := include "anteroom.mode" . -}}
{{- $ports := list (dict "name" (include "anteroom.mainPort" .) "containerPort" (include "anteroom.mainPortNumber" . | int) "protocol" "TCP") -}}
{{- $ports = append $ports (dict "name" "ops" "containerPort" 4181 "protocol" "TCP") -}}
{{- if and (eq $mode "sidecar") $values.sidecar.probePaths -}}
{{- $ports = append $ports (dict "name" "probes" "containerPort" 4183 "protocol" "TCP") -}}
{{- end -}}
{{- $mounts := list
      (dict "name" "anteroom" "mountPath" "/etc/anteroom" "readOnly" true)
      (dict "name" "anteroom-store" "mountPath" "/var/lib/anteroom") -}}
{{- $container := dict
      "name" "anteroom"
      "image" (include "anteroom.image" .)
      "imagePullPolicy" $values.image.pullPolicy
      "args" (list "run" "--config" "/etc/anteroom/anteroom.toml")
      "ports" $ports
      "volumeMounts" (concat $mounts $values.extraVolumeMounts)
      "resources" $values.resources
      "startupProbe" (dict "httpGet" (dict "path" "/readyz" "port" "ops") "periodSeconds" 1 "failureThreshold" 60)
      "livenessProbe" (dict "httpGet" (dict "path" "/livez" "port" "ops") "periodSeconds" 10 "failureThreshold" 3)
      "readinessProbe" (dict "httpGet" (dict "path" "/readyz" "port" "ops") "periodSeconds" 2 "failureThreshold" 3)
      "securityContext" (merge (include "anteroom.user" . | fromJson) (dict
        "runAsNonRoot" true
        "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true
        "capabilities" (dict "drop" (list "ALL"))
        "seccompProfile" (dict "type" "RuntimeDefault"))) -}}
{{- if $values.extraEnv -}}
{{- $_ := set $container "env" $values.extraEnv -}}
{{- end -}}
{{- if gt (int $values.shutdown.preStopSeconds) 0 -}}
{{- $_ := set $container "lifecycle" (dict "preStop" (dict "sleep" (dict "seconds" (int $values.shutdown.preStopSeconds)))) -}}
{{- end -}}
{{- toJson $container -}}
{{- end -}}

{{/* Who it runs as, where the values say so. Null says the same as `cluster`, but Helm 4 drops it from a parent chart's values. */}}
{{- define "anteroom.user" -}}
{{- if or (not .Values.user) (eq (toString .Values.user) "cluster") -}}
{}
{{- else -}}
{{- dict "runAsUser" (int .Values.user) "runAsGroup" (int .Values.user) | toJson -}}
{{- end -}}
{{- end -}}

{{- define "anteroom.podSecurityContext" -}}
runAsNonRoot: true
{{- with (include "anteroom.user" . | fromJson).runAsUser }}
runAsUser: {{ int . }}
runAsGroup: {{ int . }}
fsGroup: {{ int . }}
{{- end }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* For `containers:`, a list of one. Nothing with mode "off". */}}
{{- define "anteroom.container" -}}
{{- if ne (include "anteroom.mode" .) "off" -}}
{{- list (include "anteroom.containerTree" . | fromJson) | toYaml -}}
{{- end -}}
{{- end -}}

{{/* For `initContainers:`: starts before the app and outlives it. Nothing with mode "off". */}}
{{- define "anteroom.nativeSidecar" -}}
{{- if ne (include "anteroom.mode" .) "off" -}}
{{- list (set (include "anteroom.containerTree" . | fromJson) "restartPolicy" "Always") | toYaml -}}
{{- end -}}
{{- end -}}

{{/* The same two, of which sidecar.native fills one: a parent chart includes both and leaves the choice to the values. */}}
{{- define "anteroom.containers" -}}
{{- if not .Values.sidecar.native -}}{{- include "anteroom.container" . -}}{{- end -}}
{{- end -}}

{{- define "anteroom.initContainers" -}}
{{- if .Values.sidecar.native -}}{{- include "anteroom.nativeSidecar" . -}}{{- end -}}
{{- end -}}

{{/* For `volumes:`. One projected volume, so that configuration and secrets change at the same moment. */}}
{{- define "anteroom.volumes" -}}
{{- if ne (include "anteroom.mode" .) "off" -}}
{{- include "anteroom.volumesTree" . | fromJsonArray | toYaml -}}
{{- end -}}
{{- end -}}

{{- define "anteroom.volumesTree" -}}
{{- $values := .Values -}}
{{- $own := include "anteroom.ownPods" . -}}
{{- $secrets := list
      (list $values.atlassian.existingSecret $values.atlassian.secretKey "client-secret")
      (list (include "anteroom.sessionSecretName" .) (ternary $values.session.secretKey "session-keys" (not (empty $values.session.existingSecret))) "session-keys") -}}
{{- if $values.forwardAuth.existingSecret -}}
{{- $secrets = append $secrets (list $values.forwardAuth.existingSecret $values.forwardAuth.secretKey "gateway-key") -}}
{{- end -}}
{{- $sources := list (dict "configMap" (dict "name" (include "anteroom.fullname" .) "items" (list (dict "key" "anteroom.toml" "path" "anteroom.toml")))) -}}
{{- range $secrets -}}
{{- $item := dict "key" (index . 1) "path" (printf "secrets/%s" (index . 2)) -}}
{{- $sources = append $sources (dict "secret" (dict "name" (index . 0) "items" (list $item))) -}}
{{- end -}}
{{- /* 0440 with the pod's fsGroup. A parent's pod may have none: there only this container mounts them. */ -}}
{{- $mode := ternary 288 292 (eq $own "true") -}}
{{- $volumes := list (dict "name" "anteroom" "projected" (dict "defaultMode" $mode "sources" $sources)) -}}
{{- $store := dict "name" "anteroom-store" -}}
{{- $claim := include "anteroom.claimName" . -}}
{{- if $claim -}}
{{- $_ := set $store "persistentVolumeClaim" (dict "claimName" $claim) -}}
{{- else -}}
{{- $_ := set $store "emptyDir" (dict "sizeLimit" $values.persistence.size) -}}
{{- end -}}
{{- toJson (concat (append $volumes $store) $values.extraVolumes) -}}
{{- end -}}

{{/* The claim that holds the store; empty where it lives and dies with its pod. */}}
{{- define "anteroom.claimName" -}}
{{- if .Values.persistence.existingClaim -}}
{{- .Values.persistence.existingClaim -}}
{{- else if and .Values.persistence.enabled (include "anteroom.ownPods" .) (not (include "anteroom.several" .)) -}}
{{- include "anteroom.fullname" . -}}
{{- end -}}
{{- end -}}

{{/* For the pod's annotations: changes when the configuration does in a way that Anteroom cannot take up as it runs. */}}
{{- define "anteroom.podAnnotations" -}}
{{- if ne (include "anteroom.mode" .) "off" -}}
anteroom.dev/config: {{ include "anteroom.fixedConfig" . | sha256sum | quote }}
{{- end -}}
{{- end -}}

{{/* For the pod's labels: by them NetworkPolicy and ServiceMonitor find it. */}}
{{- define "anteroom.podLabels" -}}
{{- if ne (include "anteroom.mode" .) "off" -}}
{{ include "anteroom.podSelector" . }}
{{- end -}}
{{- end -}}

{{/* What the app's Service has to say as its targetPort. A number: before Kubernetes 1.33 names of a native sidecar's ports are not
found (kubernetes/kubernetes#127958). */}}
{{- define "anteroom.targetPort" -}}
{{- if ne (include "anteroom.mode" .) "off" -}}{{ include "anteroom.mainPortNumber" . }}{{- end -}}
{{- end -}}

{{/* For the pod's terminationGracePeriodSeconds. A native sidecar begins to end when the app has ended. */}}
{{- define "anteroom.gracePeriod" -}}
{{- $shutdown := .Values.shutdown -}}
{{- $pause := eq (include "anteroom.mode" .) "sidecar" | ternary (include "anteroom.appPause" .) "0" | int -}}
{{- add (int $shutdown.preStopSeconds) (int $shutdown.delaySeconds) (int $shutdown.drainSeconds) 5 $pause -}}
{{- end -}}

{{/* How many seconds an app beside a sidecar goes on: one longer than Anteroom accepts requests for it. */}}
{{- define "anteroom.appPause" -}}
{{- add (int .Values.shutdown.preStopSeconds) (int .Values.shutdown.delaySeconds) 1 -}}
{{- end -}}

{{/* For the app's container beside a sidecar: it goes on while Anteroom still gets requests for it. Kubernetes 1.29 knows no sleep. */}}
{{- define "anteroom.appLifecycle" -}}
{{- if and (ne (include "anteroom.mode" .) "off") (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version) -}}
preStop:
  sleep:
    seconds: {{ include "anteroom.appPause" . }}
{{- end -}}
{{- end -}}
