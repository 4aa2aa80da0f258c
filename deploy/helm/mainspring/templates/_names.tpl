{{/* The release's name, with the chart's unless it is in there already. A label holds 63 characters, and "-metrics" is appended. */}}
{{- define "mainspring.name" -}}
{{- if contains "mainspring" .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-mainspring" .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What a selector goes by. It never changes: selectors of a deployment cannot. */}}
{{- define "mainspring.selector" -}}
app.kubernetes.io/name: mainspring
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "mainspring.labels" -}}
{{ include "mainspring.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "mainspring.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "mainspring.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "mainspring.name" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* The name of the nodes' secret, theirs or ours. */}}
{{- define "mainspring.secret" -}}
{{- .Values.secret.existing | default (include "mainspring.name" .) -}}
{{- end -}}

{{- define "mainspring.migrateSecret" -}}
{{- .Values.migrate.existingSecret | default (printf "%s-migrate" (include "mainspring.name" .)) -}}
{{- end -}}

{{/* Nothing that a container could become more by. */}}
{{- define "mainspring.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "mainspring.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}
