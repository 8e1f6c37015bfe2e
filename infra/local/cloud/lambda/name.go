package lambda

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"lockstep/infra/local/cloud/wire"
)

const latest = "$LATEST"

var (
	namePattern      = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	aliasPattern     = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	versionPattern   = regexp.MustCompile(`^(\$LATEST|[0-9]+)$`)
	qualifierPattern = regexp.MustCompile(`^(\$LATEST|[A-Za-z0-9_-]{1,128})$`)
)

// name is the name of a function in a call. qualifier is a version, an alias, or empty.
type name struct{ function, qualifier string }

// parseName reads name, account:function:name or the full ARN, each with or without :qualifier.
func parseName(text, qualifier string) (name, error) {
	rest := strings.TrimPrefix(text, "arn:aws:lambda:"+wire.Region+":")
	rest = strings.TrimPrefix(rest, wire.Account+":")

	rest = strings.TrimPrefix(rest, "function:")
	if strings.HasPrefix(text, "arn:") && rest == text {
		return name{}, notFound(text)
	}

	function, inName, qualified := strings.Cut(rest, ":")
	switch {
	case !namePattern.MatchString(function) || qualified && !qualifierPattern.MatchString(inName):
		return name{}, invalid("function name: found %q, expected a name, a partial ARN or "+
			"an ARN of %s in %s", text, wire.Account, wire.Region)
	case qualifier != "" && !qualifierPattern.MatchString(qualifier):
		return name{}, invalid("qualifier: found %q, expected a version or an alias", qualifier)
	case qualified && qualifier != "" && inName != qualifier:
		return name{}, invalid("The derived qualifier from the function name " +
			"does not match the specified qualifier.")
	case qualified:
		qualifier = inName
	}

	return name{function, qualifier}, nil
}

func (n name) arn() string {
	arn := wire.ARN("lambda", "function:"+n.function)
	if n.qualifier != "" {
		arn += ":" + n.qualifier
	}

	return arn
}

func refuse(status int, code, format string, args ...any) error {
	return &wire.Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return refuse(http.StatusBadRequest, "InvalidParameterValueException", format, args...)
}

func notFound(arn string) error {
	return refuse(http.StatusNotFound, "ResourceNotFoundException", "Function not found: %s", arn)
}

func conflict(format string, args ...any) error {
	return refuse(http.StatusConflict, "ResourceConflictException", format, args...)
}

func tooMany() error {
	return refuse(http.StatusTooManyRequests, "TooManyRequestsException", "Rate exceeded")
}

func checkRevision(given, current string) error {
	if given == "" || given == current {
		return nil
	}

	return refuse(http.StatusPreconditionFailed, "PreconditionFailedException",
		"The Revision Id provided does not match the latest Revision Id. "+
			"Call the GetFunction/GetAlias API to retrieve the latest Revision Id")
}
