// Package secrets stands in for Secrets Manager, which has the connection to the application's
// database.
package secrets

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"lockstep/infra/local/cloud/wire"
)

// Service has all secrets of the account.
type Service struct {
	mu      sync.Mutex
	secrets map[string]secret // by name
}

type secret struct {
	ARN           string
	Name          string
	VersionId     string
	SecretString  string
	VersionStages []string
	CreatedDate   float64
}

// New makes a service without secrets.
func New() *Service { return &Service{secrets: map[string]secret{}} }

// Put sets the value of a secret and returns its ARN. As in Secrets Manager, the ARN ends with six
// characters that are not part of the name.
func (s *Service) Put(name, value string) (arn string) {
	sum := fnv.New32a()
	sum.Write([]byte(name))
	arn = wire.ARN("secretsmanager", fmt.Sprintf("secret:%s-%06x", name, sum.Sum32()&0xffffff))

	s.mu.Lock()
	defer s.mu.Unlock()

	s.secrets[name] = secret{
		ARN: arn, Name: name, SecretString: value, VersionId: uuid.NewString(),
		VersionStages: []string{"AWSCURRENT"}, CreatedDate: float64(time.Now().UnixMilli()) / 1000,
	}

	return arn
}

func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation := wire.Operation(r)
	if operation != "GetSecretValue" {
		wire.Answer(w, r, nil, wire.Refuse("UnknownOperationException",
			"this stand-in for Secrets Manager does not implement "+operation))

		return
	}

	var in struct{ SecretId, VersionStage string }

	err := wire.Read(r, &in)
	if err != nil {
		wire.Answer(w, r, nil, err)
		return
	}

	result, err := s.find(in.SecretId, in.VersionStage)
	wire.Answer(w, r, result, err)
}

func (s *Service) find(id, stage string) (secret, error) {
	if id == "" {
		return secret{}, wire.Refuse("ValidationException",
			"SecretId: expected the name or the ARN of a secret")
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	for _, candidate := range s.secrets {
		if candidate.Name != id && candidate.ARN != id {
			continue
		}

		if stage != "" && stage != "AWSCURRENT" {
			return secret{}, wire.Refuse("ResourceNotFoundException",
				"Secrets Manager can't find the specified secret value for staging label: "+stage)
		}

		return candidate, nil
	}

	return secret{}, wire.Refuse("ResourceNotFoundException",
		"Secrets Manager can't find the specified secret: "+id)
}
