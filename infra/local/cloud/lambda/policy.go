package lambda

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"lockstep/infra/local/cloud/wire"
)

// maxPolicy is the limit of AWS for a policy of a function, a version or an alias, in bytes.
const maxPolicy = 20 << 10

var (
	statementPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)
	sourcePattern    = regexp.MustCompile(`^arn:[^*?]+\*?$`)
)

// statement allows a service to call a function, a version or an alias on behalf of a source.
type statement struct {
	Sid, Effect, Action, Resource string
	Principal                     map[string]string
	Condition                     map[string]map[string]string
}

func (s statement) permits(service, source string) bool {
	pattern := s.Condition["ArnLike"]["AWS:SourceArn"]
	prefix, star := strings.CutSuffix(pattern, "*")

	return s.Principal["Service"] == service &&
		(pattern == source || star && strings.HasPrefix(source, prefix))
}

// Permits tells whether the policy of a function, a version or an alias allows a service to call
// it on behalf of a source: for example API Gateway for the ARN of a method.
func (s *Service) Permits(functionNameOrARN, service, source string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	f, n, err := s.find(functionNameOrARN, "")

	return err == nil && slices.ContainsFunc(f.Policies[n.qualifier], func(s statement) bool {
		return s.permits(service, source)
	})
}

func (s *Service) addPermission(r *http.Request, f *function, n name) (any, error) {
	var in struct{ StatementID, Action, Principal, SourceARN string }
	if err := wire.Read(r, &in); err != nil {
		return nil, err
	}

	policy := f.Policies[n.qualifier]
	switch _, err := f.resolve(n); {
	case err != nil:
		return nil, err
	case !statementPattern.MatchString(in.StatementID):
		return nil, invalid("StatementId: found %q, expected 1 to 100 letters, digits, '-' or '_'",
			in.StatementID)
	case in.Action != "lambda:InvokeFunction" || in.Principal == "",
		!sourcePattern.MatchString(in.SourceARN):
		return nil, invalid("this stand-in allows lambda:InvokeFunction to a service for a SourceArn, "+
			"with a star only at its end: found %s by %q for %q",
			in.Action, in.Principal, in.SourceARN)
	case slices.ContainsFunc(policy, func(s statement) bool { return s.Sid == in.StatementID }):
		return nil, conflict("The statement id (%s) provided already exists. "+
			"Please provide a new statement id, or remove the existing statement.", in.StatementID)
	}

	added := statement{
		in.StatementID, "Allow", in.Action, n.arn(), map[string]string{"Service": in.Principal},
		map[string]map[string]string{"ArnLike": {"AWS:SourceArn": in.SourceARN}},
	}

	policy = append(slices.Clone(policy), added) // a clone, since Save does not copy policies
	if text, _ := json.Marshal(policy); len(text) > maxPolicy {
		return nil, refuse(http.StatusBadRequest, "PolicyLengthExceededException",
			"The final policy size (%d) is bigger than the limit (%d).", len(text), maxPolicy)
	}

	if f.Policies == nil {
		f.Policies = map[string][]statement{}
	}

	f.Policies[n.qualifier] = policy
	text, _ := json.Marshal(added)

	return map[string]string{"Statement": string(text)}, nil
}
